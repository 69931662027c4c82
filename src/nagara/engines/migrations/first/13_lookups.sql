-- Where in the city a value is (docs/decisions/0025-lookups-where-a-question-walked.md). An index on
-- `entity.doc` would make each reading write to it; so what is asked for has postings of its own,
-- written behind the log. A lookup is right up to its `seq`: what changed since is looked at besides,
-- and each entity that is found is tested by itself. Too many are found, never too few.

create table context.lookup (
    id          int         generated always as identity primary key,
    tenant      text        not null,
    type        text        not null,
    attr        text        not null,   -- the attribute that it is about; '*': any
    own         text        not null,   -- createdAt, modifiedAt: of the store's own times; else ''
    said        text[]      not null,   -- jsonpaths of what is held in a document, as they were said
    holders     jsonpath[]  not null,   -- and read
    asked_at    timestamptz not null,
    built_at    timestamptz,            -- null: not to be used yet
    seq         bigint,                 -- the log is followed up to here
    unique (tenant, type, own, said)
);

-- Numbers in `num`, all else in `txt`, its first hundred characters; '' for what is neither text nor
-- number, so that whatever is held is known to be there.
create table context.posting (
    lookup      int         not null references context.lookup on delete cascade,
    num         float8,
    txt         text        collate "C",
    no          bigint      not null
);
create unique index posting_value on context.posting (lookup, num, txt, no) nulls not distinct;
create index posting_entity on context.posting (no, lookup);

-- A number of any size as one that can be compared: beyond, it is the largest there is.
create function context.near_number(said numeric) returns float8
language sql immutable parallel safe as $$
    select case when said = 0 or abs(said) < 1e-300 then 0
                when abs(said) > 1e300 then sign(said)::float8 * 'Infinity'::float8
                else said::float8 end
$$;

create function context.is_instant(said text) returns boolean
language sql stable parallel safe as $$
    select case when said ~ '^\d{4}-\d\d-\d\dT' then pg_input_is_valid(said, 'timestamptz')
                else false end
$$;

-- What of an entity a lookup knows. An instant stands among the numbers as well, in seconds. One
-- statement, without a `with`: it is written into the plan of whatever asks.
create function context.posted(
    e context.entity, own text, holders jsonpath[], out num float8, out txt text
) returns setof record language sql stable as $$
    select k.num, k.txt
    from unnest(holders) h
    cross join lateral jsonb_path_query(e.doc, h) v
    cross join lateral (
        select case when jsonb_typeof(v) = 'number'
                    then context.near_number((v #>> '{}')::numeric) end as num,
            case jsonb_typeof(v) when 'number' then null when 'string' then left(v #>> '{}', 100)
                 when 'boolean' then v #>> '{}' else '' end as txt
        union all
        select extract(epoch from (v #>> '{}')::timestamptz)::float8, null
        where jsonb_typeof(v) = 'string' and context.is_instant(v #>> '{}')
    ) k
    union all
    select extract(epoch from case own when 'createdAt' then e.created_at else e.modified_at end
        )::float8, null
    where own <> ''
$$;

-- Begins a lookup: reads all entities of its type once.
create function context.build_lookup(lookup_ int) returns bigint language plpgsql as $$
declare
    upto bigint;
    made bigint;
    more bigint;
begin
    -- Before the entities: what is written meanwhile is followed again.
    select coalesce(max(seq), 0) into upto from context.change;
    insert into context.posting (lookup, num, txt, no)
    select l.id, p.num, p.txt, e.no
    from context.lookup l join context.entity e on e.tenant = l.tenant and e.type = l.type
    cross join lateral context.posted(e, l.own, l.holders) p
    where l.id = lookup_ and not e.deleted
    on conflict do nothing;
    get diagnostics made = row_count;
    insert into context.posting (lookup, num, txt, no)
    select l.id, p.num, p.txt, e.no
    from context.lookup l
    join context.entity e on e.types is not null and e.types && array[l.type] and e.tenant = l.tenant
    cross join lateral context.posted(e, l.own, l.holders) p
    where l.id = lookup_ and not e.deleted
    on conflict do nothing;
    get diagnostics more = row_count;
    update context.lookup set built_at = now(), seq = upto where id = lookup_;
    return made + more;
end $$;

-- Whether a row of the log may move what a lookup about `attr` knows of an entity of one type. A row
-- without attributes may say anything; one that makes, replaces or deletes says all.
create function context.may_move(op "char", attrs jsonb, attr text) returns boolean
language sql immutable parallel safe as $$
    select op in ('c', 'r', 'd') or attr = '*' or attrs ? attr or attrs = '{}'
$$;

-- Follows the log by at most `most` rows; whether more lie there. Null: another does it just now.
create function context.follow_lookups(most int) returns boolean language plpgsql as $$
declare
    since bigint;
    upto bigint;
    n bigint;
begin
    if not pg_try_advisory_xact_lock(7953752085141454850) then return null; end if;
    select min(seq) into since from context.lookup where built_at is not null;
    if since is null then return false; end if;
    select max(s.seq), count(*) into upto, n
    from (select seq from context.change where seq > since order by seq limit most) s;
    if upto is null then return false; end if;
    -- One that is replaced may be of other types than before, and one of several types may have got
    -- one of them.
    with moved as materialized (
        select c.no, c.op, c.attrs
        from context.change c where c.seq > since and c.seq <= upto
    ), touched as materialized (
        select l.id as lookup, e.no
        from moved m
        join context.entity e on e.no = m.no
        join context.lookup l on l.tenant = e.tenant and l.built_at is not null
            and l.type = any(coalesce(e.types, array[e.type]))
        where context.may_move(m.op, m.attrs, l.attr) or e.types is not null
        union
        select p.lookup, p.no from moved m join context.posting p on p.no = m.no
        where m.op in ('c', 'r', 'd')
    ), posted as materialized (
        select distinct t.lookup, p.num, p.txt, t.no
        from touched t
        join context.entity e on e.no = t.no
        join context.lookup l on l.id = t.lookup and l.type = any(coalesce(e.types, array[e.type]))
        cross join lateral context.posted(e, l.own, l.holders) p
        where not e.deleted
    ), gone as (
        delete from context.posting p using touched t
        where p.no = t.no and p.lookup = t.lookup and not exists (
            select from posted d where d.lookup = p.lookup and d.no = p.no
                and d.num is not distinct from p.num and d.txt is not distinct from p.txt)
    )
    insert into context.posting (lookup, num, txt, no)
    select d.lookup, d.num, d.txt, d.no from posted d
    where not exists (select from context.posting p where p.lookup = d.lookup and p.no = d.no
        and p.num is not distinct from d.num and p.txt is not distinct from d.txt)
    on conflict do nothing;
    update context.lookup set seq = upto where built_at is not null and seq < upto;
    return n >= most;
end $$;

-- `page_of_type`, of some entities by their numbers; null where one of them has several types.
create function context.page_of_numbers(
    in nos bigint[], in tenant_ text, in type_ text, in path jsonpath, in now_ timestamptz,
    in after_ text, in most int,
    out body text, out told int, out last_id text
) language plpgsql stable set plan_cache_mode = 'force_generic_plan' as $$
begin
    with page as materialized (
        select f.id, f.types, row_number() over (order by f.id) as at,
            context.plain_of(f.id, f.type, f.types, f.scopes, f.doc) as plain
        from unnest(nos) n cross join lateral (
            select * from context.entity e where e.no = n offset 0
        ) f
        where f.tenant = tenant_ and (f.type = type_ or f.types && array[type_]) and not f.deleted
            and f.id > after_ and (f.expires_at is null or now_ is null or f.expires_at > now_)
            and f.doc @@ path
        order by f.id limit most + 1
    )
    select case when count(p.types) = 0
            then coalesce(string_agg(p.plain, ',' order by p.id) filter (where p.at <= most), '') end,
        count(*), max(p.id) filter (where p.at <= most)
    into body, told, last_id from page p;
end $$;
