-- Alerting: what rules remember between two values, and which alerts are open.
-- Concerns no person but staff, by the name the audit uses.
create schema alerting;

-- The window of each (ladder, entity). `seq` is the last change that was folded in, so that a
-- change heard twice changes nothing; `prior` is the `seq` that a write found, so that two
-- processes do not overwrite each other.
create table alerting.standing (
    tenant      text        not null,
    ladder      text        not null,
    entity_id   text        not null,
    seq         bigint      not null,
    last_at     timestamptz,
    samples     jsonb       not null default '[]',
    holding     text[]      not null default '{}',
    prior       bigint      not null,
    primary key (tenant, ladder, entity_id)
);

-- The promise "at most one open alert per rule and entity" is these two keys: a row lives as long
-- as its alert is open and is written in the transaction that opens or ends it.
create table alerting.open (
    tenant      text        not null,
    ladder      text        not null,
    entity_id   text        not null,
    rule_id     text        not null,
    alert_id    text        not null,
    opened_at   timestamptz not null,
    primary key (tenant, ladder, entity_id),
    unique (tenant, rule_id, entity_id),
    unique (tenant, alert_id)
);

-- Who did what to an alert, and when, in the city's time. A note is an officer's own words.
create table alerting.step (
    tenant      text        not null,
    alert_id    text        not null,
    n           int         not null,
    at          timestamptz not null,
    kind        text        not null,
    severity    text        not null,
    value       double precision,
    who         text        not null,
    role        text        not null,
    note        text,
    primary key (tenant, alert_id, n)
);
