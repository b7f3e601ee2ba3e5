-- A database for each service; run once, when the volume is new.
CREATE DATABASE platforms;
CREATE DATABASE technologies;
CREATE DATABASE funding;
CREATE DATABASE coordination;
CREATE DATABASE audit;
CREATE DATABASE reports;
