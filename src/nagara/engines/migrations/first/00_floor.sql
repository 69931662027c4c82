-- The floor: what no room owns. `engine.meta` says what this database is, so that a backup, a
-- support question or a stranger's psql can tell without the program.

create schema if not exists engine;

create table engine.meta (
    name  text primary key check (name <> ''),
    value jsonb not null,
    changed_at timestamptz not null default now()
);

comment on table engine.meta is 'Facts about this database: city code, first version, restored from. No personal data; kept as long as the database.';
