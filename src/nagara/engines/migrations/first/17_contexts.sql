-- @contexts that this city hosts for programs, keeps from elsewhere, or made for what came inline
-- (ETSI GS CIM 009 clause 5.13). Kept ones are copies of public documents: they belong to all
-- tenants and stand under ''.
create table context.jsonld (
    tenant      text        not null,
    id          text        not null,
    kind        "char"      not null,   -- h hosted, c kept (Cached), i made for inline ones
    url         text,                   -- where a kept one came from
    body        jsonb       not null,   -- the value of its @context
    owner       text        not null,
    created_at  timestamptz not null,
    used_at     timestamptz,
    hits        bigint      not null default 0,
    primary key (tenant, id)
);
create index jsonld_used on context.jsonld (kind, coalesce(used_at, created_at));

-- A tenant has an owner, and lists of who else may see it and write to it: roles (`role:steward`),
-- accounts and tokens (`token:2c1f…`). Null: whom the policy lets.
alter table context.tenant
    add column owner   text not null default '',
    add column readers text[],
    add column writers text[];
