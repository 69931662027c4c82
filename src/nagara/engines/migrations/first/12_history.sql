-- History as it is read (docs/decisions/0013-history-in-chunks.md). The log stays what it is; here
-- lie what was said of its instances afterwards, and chunks: the instances of one attribute of one
-- entity in one UTC day, packed. A chunk holds exactly what the log says up to `folded.seq`.

-- An instance of the log that was changed (or, without `instance`, deleted) by its instanceId.
create table context.amendment (
    no          bigint      not null,
    seq         bigint      not null,   -- of the log row
    name        text        not null,
    idx         int         not null,   -- place among the instances of the attribute in the row
    instance    jsonb,
    at          timestamptz not null,
    modified_at timestamptz not null,
    primary key (no, seq, name, idx)
);

-- History that was deleted: rows up to `seq` count no longer.
create table context.erasure (
    no          bigint      not null,
    name        text        not null,   -- '' for all attributes
    dataset     text        not null,   -- '*' for all, '' for the default instance
    seq         bigint      not null,
    primary key (no, name, dataset)
);

create table context.chunk (
    no          bigint      not null,
    name        text        not null,
    dataset     text        not null,
    day         int         not null,   -- days since 1970-01-01 UTC
    n           int         not null,
    numbers     int         not null,   -- how many of the n are numbers
    ats         bigint[]    not null,   -- microseconds since 1970, ascending
    vals        float8[]    not null,
    seqs        bigint[]    not null,
    idxs        int[]       not null,
    recorded    bigint[]    not null,
    rests       text[]      not null,   -- the instance without its number and its time
    hours       int[]       not null,   -- of the day, those that have numbers
    counts      int[]       not null,
    sums        float8[]    not null,
    squares     float8[]    not null,
    mins        float8[]    not null,
    maxs        float8[]    not null,
    primary key (no, name, day, dataset)
);

create table context.folded (
    one         boolean     primary key default true check (one),
    seq         bigint      not null
);
insert into context.folded (seq) values (0);

create function context.micros(at timestamptz) returns bigint
language sql immutable parallel safe as $$ select (date_part('epoch', at) * 1000000)::bigint $$;

-- Which number of an instance a float8 says exactly: i whole, f with a fraction, v said in words.
create function context.number_kind(said text, kind text) returns text
language sql immutable parallel safe as $$
    select case when kind is distinct from 'number' or length(said) > 40 then 'v'
                when position('.' in said) > 0 then 'f'
                when length(said) <= 15 then 'i' else 'v' end
$$;

-- One instance without its number (i, f) and without a time that is written as we write it (t).
create function context.pack_rest(instance jsonb, kind text, stamp text) returns text
language sql immutable parallel safe as $$
    select case
        when jsonb_typeof(instance) <> 'object' then 'v-' || instance::text
        when kind = 'v' then 'v-' || instance::text
        when instance ->> 'observedAt' = stamp
            then kind || 't' || (instance - '{value,observedAt}'::text[])::text
        else kind || '-' || (instance - 'value')::text end
$$;

-- The instances of rows of the log; a null is an attribute that was removed.
create function context.instances(attrs jsonb)
returns table (name text, idx int, instance jsonb)
language sql immutable parallel safe rows 2 as $$
    select e.key, 0, e.value from jsonb_each(attrs) e where jsonb_typeof(e.value) <> 'array'
    union all
    select e.key, (i.n - 1)::int, i.value
    from jsonb_each(attrs) e
    cross join lateral jsonb_array_elements(
        case when jsonb_typeof(e.value) = 'array' then e.value else '[]' end
    ) with ordinality as i(value, n)
    where jsonb_typeof(e.value) = 'array'
$$;

create function context.is_erased(no bigint, name text, dataset text, seq bigint) returns boolean
language sql stable parallel safe as $$
    select exists (
        select from context.erasure x
        where x.no = $1 and x.name in ('', $2) and x.dataset in ('*', $3) and x.seq >= $4
    )
$$;

-- Puts what a statement selects (no, name, dataset, at, val, seq, idx, recorded, rest) into chunks,
-- with what lies in those already. Text, not a function's argument: the planner sees it whole.
create function context.put_chunks(source text) returns void
language plpgsql as $put$
begin
    execute 'with new as materialized (' || source || '),' || $$
    touched as (
        select distinct no, name, dataset, floor(at / 86400000000.0)::int as day from new
    ),
    everything as (
        select * from new
        union all
        select c.no, c.name, c.dataset, o.*
        from touched t join context.chunk c using (no, name, dataset, day)
        cross join lateral unnest(c.ats, c.vals, c.seqs, c.idxs, c.recorded, c.rests) as o
    ),
    ordered as (
        select *, floor(at / 86400000000.0)::int as day,
               (floor(at / 3600000000.0)::bigint % 24 + 24)::int % 24 as hour
        from everything
    ),
    hourly as (                         -- in order: float sums are the same bits each time
        select no, name, dataset, day, hour, count(val)::int as n,
               sum(val order by at, seq, idx) as total,
               sum(val * val order by at, seq, idx) as square, min(val) as low, max(val) as high
        from ordered where val is not null group by no, name, dataset, day, hour
    ),
    stats as (
        select no, name, dataset, day, array_agg(hour order by hour) as hours,
               array_agg(n order by hour) as counts, array_agg(total order by hour) as sums,
               array_agg(square order by hour) as squares, array_agg(low order by hour) as mins,
               array_agg(high order by hour) as maxs
        from hourly group by no, name, dataset, day
    ),
    made as (
        select no, name, dataset, day, count(*)::int as n, count(val)::int as numbers,
               array_agg(at order by at, seq, idx) as ats,
               array_agg(val order by at, seq, idx) as vals,
               array_agg(seq order by at, seq, idx) as seqs,
               array_agg(idx order by at, seq, idx) as idxs,
               array_agg(recorded order by at, seq, idx) as recorded,
               array_agg(rest order by at, seq, idx) as rests
        from ordered group by no, name, dataset, day
    )
    insert into context.chunk (no, name, dataset, day, n, numbers, ats, vals, seqs, idxs, recorded,
        rests, hours, counts, sums, squares, mins, maxs)
    select m.*, coalesce(s.hours, '{}'), coalesce(s.counts, '{}'), coalesce(s.sums, '{}'),
           coalesce(s.squares, '{}'), coalesce(s.mins, '{}'), coalesce(s.maxs, '{}')
    from made m left join stats s using (no, name, dataset, day)
    on conflict (no, name, day, dataset) do update set
        n = excluded.n, numbers = excluded.numbers, ats = excluded.ats, vals = excluded.vals,
        seqs = excluded.seqs, idxs = excluded.idxs, recorded = excluded.recorded,
        rests = excluded.rests, hours = excluded.hours, counts = excluded.counts,
        sums = excluded.sums, squares = excluded.squares, mins = excluded.mins,
        maxs = excluded.maxs
    $$;
end $put$;

-- The statement that packs instances of rows `c` (no, seq, at, recorded_at, attrs) of the log.
create function context.packed(rows text, condition text) returns text
language sql immutable as $sql$
    select $$
        select c.no, x.name, coalesce(i.instance ->> 'datasetId', '') as dataset,
               context.micros(i.at) as at,
               case when k.kind <> 'v' then (i.instance ->> 'value')::float8 end as val,
               c.seq, x.idx, context.micros(c.recorded_at) as recorded,
               context.pack_rest(i.instance, k.kind, to_char(
                   i.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) as rest
        from $$ || rows || $$
        left join context.amendment m
            on m.no = c.no and m.seq = c.seq and m.name = x.name and m.idx = x.idx
        cross join lateral (
            select coalesce(m.at, c.at) as at,
                   case when m.no is null then x.instance
                        else m.instance || jsonb_build_object('modifiedAt', m.modified_at)
                   end as instance
        ) i
        cross join lateral (
            select context.number_kind(
                i.instance ->> 'value', jsonb_typeof(i.instance -> 'value')) as kind
        ) k
        where i.instance is not null and $$ || condition
$sql$;

-- Takes the next rows of the log into chunks, `most` of them; how far it came. Rows that are being
-- committed are not passed by: numbers are taken under the lock that `append` holds.
create function context.fold(most int) returns bigint
language plpgsql as $$
declare
    was bigint;
    upto bigint;
    standing text := 'true';
begin
    select seq into was from context.folded for update;
    select max(seq) into upto
    from (select seq from context.change where seq > was order by seq limit most) s;
    if upto is null then
        return was;
    end if;
    if exists (select from context.erasure) then
        standing := 'not context.is_erased(c.no, x.name,'
            || ' coalesce(i.instance ->> ''datasetId'', ''''), c.seq)';
    end if;
    perform context.put_chunks(context.packed(
        'context.change c cross join lateral context.instances(c.attrs) x',
        format('c.seq > %s and c.seq <= %s and %s', was, upto, standing)));
    update context.folded set seq = upto;
    return upto;
end $$;

-- Makes chunks of one attribute of one entity anew, in the transaction that amends it.
create function context.refold(entity bigint, attribute text, days int[]) returns void
language plpgsql as $$
declare
    was bigint;
begin
    select seq into was from context.folded for update;
    delete from context.chunk where no = entity and name = attribute and day = any(days);
    perform context.put_chunks(context.packed(
        format($rows$(
            select r.* from unnest(%2$L::int[]) d
            join context.change r on r.no = %1$s
                and r.at >= timestamptz '1970-01-01Z' + d * interval '24 hours'
                and r.at < timestamptz '1970-01-01Z' + (d + 1) * interval '24 hours'
            union
            select r.* from context.amendment a join context.change r on r.seq = a.seq
            where a.no = %1$s and a.name = %3$L
        ) c cross join lateral context.instances(
            jsonb_build_object(%3$L::text, coalesce(c.attrs -> %3$L, '[]'))) x$rows$,
            entity, days, attribute),
        format($condition$c.seq <= %s
            and floor(context.micros(i.at) / 86400000000.0) = any(%L::int[])
            and not context.is_erased(
                c.no, x.name, coalesce(i.instance ->> 'datasetId', ''), c.seq)$condition$,
            was, days)));
end $$;

-- Entities that were made through the temporal API: with their evolution they go.
create table context.chronicled (
    no          bigint      primary key
);
