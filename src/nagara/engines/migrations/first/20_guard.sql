-- The guard: who may come in, what was done, and the private data of persons.

create schema guard;

-- Accounts. The log-in name is kept as a keyed hash; the name itself, and the name of the person,
-- are sealed in persons.record, so that this table tells nobody who works here.
create table guard.account (
    id           uuid primary key,
    login_hash   bytea not null unique,
    password     text not null,            -- argon2id in PHC form, parameters included
    roles        text[] not null check (cardinality(roles) > 0),
    departments  text[] not null default '{}',
    language     text not null,
    person       uuid not null,
    record       uuid not null,
    created_at   timestamptz not null,
    disabled_at  timestamptz,
    last_used_on date
);
create index account_person on guard.account (person);

create table guard.session (
    hash       bytea primary key,          -- SHA-256 of the cookie; the cookie itself is nowhere
    account    uuid not null references guard.account (id) on delete cascade,
    created_at timestamptz not null,
    seen_at    timestamptz not null,
    ends_at    timestamptz not null        -- absolute end, whatever the use
);
create index session_account on guard.session (account);
create index session_ends on guard.session (ends_at);

-- Bearer tokens of programs. Made on the command line: no owner.
create table guard.token (
    id           uuid primary key,
    hash         bytea not null unique,
    name         text not null,
    role         text not null,
    owner        uuid references guard.account (id) on delete cascade,
    created_at   timestamptz not null,
    expires_at   timestamptz not null,
    last_used_on date
);
create index token_owner on guard.token (owner);

create table guard.device_credential (
    device    text primary key,
    hash      bytea not null,
    issued_at timestamptz not null
);

-- The audit: a chain. hash = SHA-256(prev | seq | canonical bytes of the row).
create table guard.audit (
    seq     bigint primary key,
    at      timestamptz not null,
    actor   text not null,
    act     text not null,
    subject text not null,
    digest  bytea not null,
    prev    bytea not null,
    hash    bytea not null
);

-- A guard against our own mistakes, not against an owner of the database: him the chain finds.
create function guard.refuse_rewriting() returns trigger language plpgsql as $$
begin
    raise exception 'the audit is only ever appended to';
end
$$;
create trigger audit_is_append_only
    before update or delete or truncate on guard.audit
    for each statement execute function guard.refuse_rewriting();

create schema persons;

-- 256 shelves of records. A shelf's key stands in the secrets folder; key_id names the one in use.
-- Erasing a record turns the shelf's key: what old pages, logs and copies hold is noise from then on.
create table persons.shelf (
    shelf  smallint primary key check (shelf between 0 and 255),
    key_id text not null
);

create table persons.record (
    id             uuid primary key,
    person         uuid not null,
    shelf          smallint not null,
    purpose        text not null,
    wrapped        bytea not null,         -- the record's own key, under the shelf's key
    sealed         bytea not null,         -- the fields, under the record's own key
    notice_version text not null,
    accepted_at    timestamptz not null,
    retain_until   timestamptz             -- null: as long as the account lives
);
create index record_person on persons.record (person);
create index record_shelf on persons.record (shelf);
create index record_retain on persons.record (retain_until) where retain_until is not null;
