"""Words that a paraphrase puts in the place of others; written for this measurement, unknown to the method."""


def _table(lines: str) -> dict[str, list[str]]:
    return {word: rest.split(",") for word, rest in (x.split(":") for x in lines.split())}


ENGLISH = _table(
    """
    develop:build,create develops:builds,creates developed:built,created developing:building,creating
    development:creation,construction propose:suggest,plan proposes:suggests,plans proposed:suggested,planned
    system:framework,apparatus systems:frameworks,apparatuses method:technique,procedure methods:techniques,procedures
    technique:method techniques:methods approach:strategy,way approaches:strategies,ways technology:engineering
    technologies:engineering new:fresh,recent novel:original,unprecedented innovative:inventive,original
    improve:enhance,better improves:enhances improved:enhanced,bettered improving:enhancing improvement:enhancement
    enhance:improve,strengthen enhances:improves enhanced:improved enhancing:improving provide:offer,supply
    provides:offers,supplies provided:offered,supplied providing:offering,supplying use:employ,apply uses:employs,applies
    used:employed,applied using:employing,applying utilize:employ utilizes:employs utilized:employed utilizing:employing
    enable:permit,allow enables:permits,allows enabled:permitted enabling:permitting,allowing allow:permit,let
    allows:permits,lets data:records,measurements information:knowledge,facts analysis:examination,study
    analyze:examine,study analyzing:examining,studying analyses:examinations research:inquiry,investigation
    problem:difficulty,issue problems:difficulties,issues challenge:difficulty challenges:difficulties
    solution:answer,remedy solutions:answers,remedies software:code,programs tool:instrument,utility
    tools:instruments,utilities platform:environment,foundation platforms:environments process:procedure,operation
    processes:procedures,operations processing:handling performance:effectiveness,efficiency accurate:precise,exact
    accuracy:precision,exactness accurately:precisely effective:efficacious,successful efficient:economical,effective
    efficiently:economically effectively:successfully rapid:quick,swift rapidly:quickly,swiftly fast:quick,speedy
    quickly:rapidly,swiftly large:big,extensive small:little,compact high:elevated,great low:reduced,small
    cost:expense,price costs:expenses,prices important:significant,major significant:considerable,notable
    significantly:considerably,notably current:present,existing currently:presently existing:present,available
    future:coming,later critical:crucial,vital key:main,central complex:complicated,intricate identify:recognize,find
    identifies:recognizes,finds identified:recognized,found identifying:recognizing,finding identification:recognition
    detect:discover,notice detects:discovers detecting:discovering detection:discovery determine:establish,ascertain
    determines:establishes demonstrate:show,prove demonstrates:shows demonstrated:shown,proved demonstration:proof
    feasibility:practicability,viability design:plan,devise designed:planned,devised designs:plans create:make,produce
    creates:makes,produces created:made,produced creating:making reduce:lower,cut reduces:lowers,cuts reduced:lowered,cut
    reducing:lowering,cutting increase:raise,grow increases:raises increased:raised increasing:raising,growing
    require:need,demand requires:needs,demands required:needed,demanded requirements:needs,demands support:assist,back
    supports:assists supporting:assisting help:assist,aid helps:assists,aids many:numerous,several
    several:various,multiple multiple:several,various various:different,diverse different:distinct,various
    based:founded,built build:construct,make builds:constructs capability:ability,capacity
    capabilities:abilities,capacities ability:capacity,capability goal:aim,objective goals:aims,objectives
    objective:aim,goal objectives:aims,goals project:undertaking,effort effort:undertaking,work work:labor,effort
    test:trial,check tests:trials testing:trialling evaluate:assess,judge evaluated:assessed,judged
    evaluation:assessment,appraisal assess:evaluate,gauge model:representation models:representations
    modeling:representation environment:setting,surroundings environments:settings users:operators,people
    user:operator,person operators:users,workers human:person,manual automatically:autonomously,unaided
    automated:automatic,unattended automatic:automated,unattended potential:possible,prospective broad:wide,extensive
    wide:broad range:span,spectrum specific:particular,certain particular:specific,certain additional:further,extra
    further:additional include:comprise,contain includes:comprises,contains including:comprising,containing
    impact:effect,influence benefit:advantage,gain benefits:advantages,gains need:requirement,want needs:requirements
    monitor:observe,watch monitoring:observing,watching monitored:observed,watched management:administration,handling
    manage:administer,handle manages:administers integrate:combine,merge integrated:combined,merged
    integrates:combines,merges integration:combination,merging combine:join,merge combines:joins,merges
    combined:joined,merged components:parts,elements component:part,element features:traits,characteristics
    feature:trait,characteristic generate:produce,yield generates:produces,yields generated:produced,yielded
    result:outcome,consequence results:outcomes,findings resulting:ensuing,consequent training:instruction,teaching
    train:teach,instruct trained:taught,instructed learn:acquire,study learning:acquisition,study however:nevertheless,yet
    therefore:thus,hence also:additionally,too addition:supplement successful:fruitful successfully:fruitfully
    companies:firms,enterprises company:firm,enterprise commercial:business,market industry:trade,sector
    patients:sufferers,cases patient:sufferer,case treatment:therapy,care disease:illness,disorder
    clinical:medical,bedside health:wellbeing students:pupils,learners student:pupil,learner
    teachers:instructors,educators teacher:instructor,educator game:play,pastime mission:task,assignment
    missions:tasks,assignments aircraft:airplanes,planes vehicle:craft,conveyance vehicles:crafts,conveyances
    algorithm:routine,procedure algorithms:routines,procedures real:actual,true time:moment,period
    decision:choice,judgement decisions:choices,judgements making:reaching plan:scheme,arrangement
    planning:scheming,arranging plans:schemes,arrangements knowledge:understanding,insight
    """
)
HAN = _table(
    """
    开发:研制,研发 提出:给出,拟定 采用:运用,使用 利用:借助,运用 系统:体系,装置 方法:办法,手段 技术:工艺,手段
    平台:环境,系统 提高:提升,增强 改进:改善,优化 降低:减少,减小 数据:资料,信息 分析:研判,剖析 研究:探索,考察
    问题:难题,课题 解决:应对,处理 解决方案:应对办法,处置方案 软件:程序,应用程序 工具:手段,器具 实现:达成,完成 支持:支撑,保障
    快速:迅速,高速 准确:精确,精准 有效:切实,有力 重要:关键,重大 关键:核心,主要 现有:已有,目前的 目前:当前,现阶段
    当前:目前,现今 复杂:繁杂,繁复 识别:辨识,辨认 检测:探测,侦测 预测:预报,预判 监测:监视,监控 确定:判定,明确
    验证:检验,核验 演示:展示,示范 可行性:可实施性,现实性 设计:规划,构思 建立:构建,搭建 构建:建立,搭建 提供:给予,供给
    需要:须要,要求 需求:要求,需要 帮助:协助,辅助 多种:各类,若干 各种:各类,种种 不同:各异,相异 能力:本领,性能
    目标:目的,宗旨 评估:评价,评定 训练:培训,练习 模型:模式,样型 环境:场景,条件 用户:使用者,使用人员 自动:自行,自主
    包括:包含,涵盖 影响:作用,冲击 管理:管控,治理 结合:融合,联合 集成:整合,融合 组件:部件,构件 特征:特性,特点
    生成:产生,形成 结果:成果,结局 学习:研习,习得 公司:企业,厂商 商业:市场,商用 患者:病人,病患 治疗:诊治,医治
    学生:学员,学习者 任务:使命,作业 飞机:航空器,机体 车辆:车子,载具 算法:计算方法,运算方法 实时:即时,及时 决策:决定,抉择
    规划:筹划,计划 知识:学识,认识
    """
)
GENERIC_TITLES = (
    "An Integrated Framework for Advanced Applications",
    "Next Generation Capability for Demanding Environments",
    "Intelligent Solutions for Complex Operations",
    "A Comprehensive Toolset for Decision Makers",
    "Adaptive Services for the Modern Enterprise",
)
HAN_TITLES = (
    "面向复杂应用的综合技术研究",
    "新一代智能装备关键技术攻关",
    "先进方法及其产业化应用",
    "综合服务能力提升工程",
    "面向重大需求的共性技术研发",
)
