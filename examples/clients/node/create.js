// Registers a platform: node create.js luoshu.binpb 127.0.0.1:50051. Needs @grpc/grpc-js and @grpc/proto-loader.
const fs = require('fs');
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [contract, address] = process.argv.slice(2);
const loaded = loader.loadFileDescriptorSetFromBuffer(fs.readFileSync(contract), {
  keepCase: true, longs: String, enums: String,
});
const { PlatformService } = grpc.loadPackageDefinition(loaded).luoshu.platforms.v1;
const platforms = new PlatformService(address, grpc.credentials.createInsecure(), {
  'grpc.service_config': fs.readFileSync(path.join(__dirname, '..', 'service_config.json'), 'utf8'),
});

const metadata = new grpc.Metadata();
metadata.set('luoshu-actor', 'li.na');
metadata.set('luoshu-department', '12410100DEMA00013K');
metadata.set('luoshu-roles', 'applicant');

const request = {
  platform_id: 'node-laboratory',
  request_id: '5f871102-3124-4531-b469-215f0c08f147', // made once for this change: the same for every try, and after a crash
  platform: {
    title: '河南省示例重点实验室', kind: 'key-laboratory', division: '410100', direction: 'new-materials',
    supporting_unit_name: '中原示例大学', supporting_unit_code: '12410100DEMA00013K', recommending_unit: '410100',
  },
};

platforms.createPlatform(request, metadata, { deadline: Date.now() + 10_000 }, (error, platform) => {
  platforms.close();
  if (!error) return console.log(platform.name, platform.etag, platform.state);
  console.error(grpc.status[error.code], error.details);
  process.exitCode = 1;
});
