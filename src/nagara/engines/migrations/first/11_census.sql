-- Which types and attributes there are, and how often: counted as entities are written, so that
-- discovery (ETSI GS CIM 009 clauses 5.7.5 to 5.7.10) reads some rows and never all entities.
--
-- Rows are only added: two writers never wait for each other. Now and then a writer sums them up.
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

create function context.take_census() returns trigger language plpgsql as $$
declare
    counted bigint := 0;
begin
    if tg_op = 'INSERT' then
        insert into context.census
        select e.tenant, coalesce(e.types, array[e.type]), a.attr, a.kind, count(*)
        from after_it e cross join lateral context.anatomy(e.doc) a
        where not e.deleted group by 1, 2, 3, 4;
        get diagnostics counted = row_count;
    elsif tg_op = 'UPDATE' then
        insert into context.census
        with changed as (
            select o.tenant, coalesce(o.types, array[o.type]) as types_was, o.doc as doc_was,
                o.deleted as gone_was, coalesce(n.types, array[n.type]) as types_is,
                n.doc as doc_is, n.deleted as gone_is
            from before_it o join after_it n on n.no = o.no
            where o.deleted <> n.deleted or o.type <> n.type or o.types is distinct from n.types
                or (select array_agg((key, coalesce(value ->> 'type', value -> 0 ->> 'type'))::text)
                    from jsonb_each(o.doc)) is distinct from
                   (select array_agg((key, coalesce(value ->> 'type', value -> 0 ->> 'type'))::text)
                    from jsonb_each(n.doc))
        )
        select tenant, types, attr, kind, sum(d) from (
            select c.tenant, c.types_was as types, a.attr, a.kind, -1 as d
            from changed c cross join lateral context.anatomy(c.doc_was) a where not c.gone_was
            union all
            select c.tenant, c.types_is, a.attr, a.kind, 1
            from changed c cross join lateral context.anatomy(c.doc_is) a where not c.gone_is
        ) s group by 1, 2, 3, 4 having sum(d) <> 0;
        get diagnostics counted = row_count;
    elsif tg_op = 'DELETE' then
        insert into context.census
        select e.tenant, coalesce(e.types, array[e.type]), a.attr, a.kind, -count(*)
        from before_it e cross join lateral context.anatomy(e.doc) a
        where not e.deleted group by 1, 2, 3, 4;
        get diagnostics counted = row_count;
    else
        truncate context.census;
    end if;
    if counted > 0 and random() < 0.005 then
        perform context.fold_census();
    end if;
    return null;
end $$;

create trigger census_of_new after insert on context.entity
    referencing new table as after_it
    for each statement execute function context.take_census();
create trigger census_of_changed after update on context.entity
    referencing old table as before_it new table as after_it
    for each statement execute function context.take_census();
create trigger census_of_removed after delete on context.entity
    referencing old table as before_it
    for each statement execute function context.take_census();
create trigger census_of_none after truncate on context.entity
    for each statement execute function context.take_census();
