-- When the next attribute of an entity runs out (`expiresAt` of an instance): one row for each
-- entity that has such attributes, written with it. It may be out of date; what counts is the
-- entity, at which the sweep looks again.
create table context.expiry (
    tenant      text        not null,
    id          text        not null,
    at          timestamptz not null,
    primary key (tenant, id)
);
create index expiry_at on context.expiry (at);
