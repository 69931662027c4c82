-- Context sources: other brokers that hold a part of what is asked here (docs/decisions/0015).

create table context.source_registration (
    tenant      text        not null,
    id          text        not null,
    doc         jsonb       not null,   -- as registered, with canonical names
    owner       text        not null,
    created_at  timestamptz not null,
    modified_at timestamptz not null,
    expires_at  timestamptz,
    times_sent  bigint      not null default 0,
    times_failed bigint     not null default 0,
    last_success timestamptz,
    last_failure timestamptz,
    status      text,                   -- ok, failed; null before the first request
    primary key (tenant, id)
);

create table context.source_subscription (
    tenant      text        not null,
    id          text        not null,
    doc         jsonb       not null,
    told        jsonb       not null default '[]',  -- ids of registrations that matched when last told
    owner       text        not null,
    created_at  timestamptz not null,
    modified_at timestamptz not null,
    times_sent  bigint      not null default 0,
    times_failed bigint     not null default 0,
    last_notification timestamptz,
    last_success timestamptz,
    last_failure timestamptz,
    primary key (tenant, id)
);

-- Which sources hold which entities of one query, so that later pages ask only those.
create table context.entity_map (
    tenant      text        not null,
    id          text        not null,
    doc         jsonb       not null,   -- entity id → registration ids; @none: here
    linked      jsonb       not null,   -- registration id → id of the map that this source made
    owner       text        not null,
    created_at  timestamptz not null,
    expires_at  timestamptz not null,
    primary key (tenant, id)
);
create index entity_map_expiry on context.entity_map (expires_at);

-- What some queries found at one moment, kept aside: no reader of the log hears of it.
create table context.snapshot (
    tenant      text        not null,
    id          text        not null,
    doc         jsonb       not null,
    owner       text        not null,
    created_at  timestamptz not null,
    modified_at timestamptz not null,
    expires_at  timestamptz not null,
    last_used_at timestamptz not null,
    primary key (tenant, id)
);
create index snapshot_expiry on context.snapshot (expires_at);

create table context.snapshot_entity (
    tenant      text        not null,
    snapshot    text        not null,
    id          text        not null,
    types       text[]      not null,
    body        jsonb       not null,
    primary key (tenant, snapshot, id),
    foreign key (tenant, snapshot) references context.snapshot (tenant, id) on delete cascade
);

-- The histories of a snapshot, as the temporal representation with canonical names.
create table context.snapshot_history (
    tenant      text        not null,
    snapshot    text        not null,
    id          text        not null,
    types       text[]      not null,
    body        jsonb       not null,
    primary key (tenant, snapshot, id),
    foreign key (tenant, snapshot) references context.snapshot (tenant, id) on delete cascade
);

-- The name of this broker in Via, drawn once, and the address under which it was last spoken to:
-- where sources send their notifications.
create table context.source_alias (
    one         boolean     primary key default true check (one),
    alias       text        not null,
    url         text
);

-- Copies of subscriptions at sources that are told to notify this broker (clause 5.8.1.4). A copy
-- whose subscription or registration has gone stays until the source has been told.
create table context.source_copy (
    copy         text        primary key,   -- its id there, which nobody can guess
    tenant       text        not null,
    subscription text        not null,
    registration text        not null,
    address      jsonb       not null,      -- the registration as it was, to end the copy there
    digest       text        not null,      -- of what was sent
    made         boolean     not null default false,
    ending       boolean     not null default false,
    created_at   timestamptz not null
);
create index source_copy_subscription on context.source_copy (tenant, subscription);

-- The brokers through which a subscription came here: copies of it go to none of them.
create table context.subscription_via (
    tenant       text        not null,
    subscription text        not null,
    via          text        not null,
    primary key (tenant, subscription)
);
