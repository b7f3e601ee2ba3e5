-- The peers' tables: a record and its outbox row, as a team that starts today would have them.
CREATE TABLE record (
  id uuid PRIMARY KEY,
  title text NOT NULL,
  kind text NOT NULL,
  division text NOT NULL,
  direction text NOT NULL,
  unit_code text NOT NULL,
  unit_name text NOT NULL,
  abstract text NOT NULL,
  revision bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic text NOT NULL,
  key uuid NOT NULL,
  payload bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
