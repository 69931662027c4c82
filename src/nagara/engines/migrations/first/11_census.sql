-- Which types and attributes there are, and how often: counted as entities are written, so that
-- discovery (ETSI GS CIM 009 clauses 5.7.5 to 5.7.10) reads some rows and never all entities.
--
-- The committer knows what an entity was before and after, and adds rows in its transaction where
-- that differs in types or attributes (nagara.context.census): a new value costs nothing here. Rows
-- are only added: two writers never wait for each other. Now and then they are summed up.
create table context.census (
    tenant      text        not null,
    types       text[]      not null,
    attr        text        not null,   -- '' : the entities themselves
    kind        text        not null,   -- Property, Relationship, ...
    n           bigint      not null
);
create index census_tenant on context.census (tenant);

-- What one document counts for: itself, and each of its attributes with the kind it has.
create function context.anatomy(doc jsonb, out attr text, out kind text)
returns setof record language sql immutable parallel safe as $$
    select '', ''
    union all
    select key, coalesce(value ->> 'type', value -> 0 ->> 'type', '') from jsonb_each(doc)
$$;

create function context.fold_census() returns void language sql as $$
    with held as (
        select ctid from context.census for update skip locked
    ), gone as (
        delete from context.census c using held where c.ctid = held.ctid returning c.*
    )
    insert into context.census
    select tenant, types, attr, kind, sum(n) from gone
    group by tenant, types, attr, kind having sum(n) <> 0
$$;

-- Counts anew what is there: after rows were put in past the committer (a bench's, a repair's).
create function context.recount_census() returns void language sql as $$
    delete from context.census;
    insert into context.census
    select e.tenant, coalesce(e.types, array[e.type]), a.attr, a.kind, count(*)
    from context.entity e cross join lateral context.anatomy(e.doc) a
    where not e.deleted group by 1, 2, 3, 4;
$$;
