-- The network's work: processes with roles and deadlines (joining, returns, agreements), needs and
-- offers, practices, meetings. What a process is, its definition says (network/work/processes); its
-- parts, lines, reviews and positions lie in `doc`, what lists ask for in columns.
create schema network_work;

create table network_work.counter (
    name text primary key,
    n    bigint not null
);

create table network_work.process (
    id         text        primary key,
    process    text        not null,
    version    int         not null,
    title      text        not null,
    city       text        not null,
    country    text        not null,
    year       int,
    phase      text,
    partner    text,
    state      text        not null,
    ended      boolean     not null,
    shared     boolean     not null,        -- other countries see it
    opened_at  timestamptz not null,
    entered_at timestamptz not null,
    due_at     timestamptz,
    next_at    timestamptz,                 -- when the clock has to look at it
    overdue    boolean     not null,
    step_count int         not null,
    doc        jsonb       not null,
    told       int         not null default 0 -- the version that its entity tells
);
-- Those whose entity does not say yet where they stand.
create index process_untold on network_work.process (id) where told < version;
create index process_state on network_work.process (process, state, id);
create index process_year on network_work.process (process, year, id) where year is not null;
create index process_country on network_work.process (country, process, id);
create index process_city on network_work.process (city, process, id);
create index process_partner on network_work.process (partner, id) where partner is not null;
create index process_open on network_work.process (due_at, id) where not ended;
create index process_next on network_work.process (next_at) where next_at is not null;

create table network_work.process_step (
    process_id text        not null references network_work.process,
    n          int         not null,
    at         timestamptz not null,
    act        text        not null,
    source     text,
    target     text        not null,
    who        text        not null,
    office     text        not null,
    of         text,
    words      text,
    automatic  boolean     not null,
    by_silence boolean     not null,
    doc        jsonb,                       -- what an edit took away
    primary key (process_id, n)
);

create table network_work.certificate (
    id           text        primary key,
    process_id   text        not null references network_work.process,
    issued_at    timestamptz not null,
    withdrawn_at timestamptz,
    document     jsonb       not null,
    jws          text        not null
);

create table network_work.partner (
    code   text primary key,
    name   text not null,
    class  text not null,
    topic  text not null,
    source text not null
);

create table network_work.need (
    id        text        primary key,
    version   int         not null,
    city      text        not null,
    country   text        not null,
    title     text        not null,
    words     text        not null,
    focus     text,
    stage     text,
    kinds     text[]      not null,
    amount    float8,
    currency  text,
    project   text,
    until     date,
    state     text        not null,
    at        timestamptz not null,
    who       text        not null
);
create index need_state on network_work.need (state, id);
create index need_city on network_work.need (city, id);

create table network_work.offer (
    id         text        primary key,
    version    int         not null,
    partner    text        not null,
    kind       text        not null,
    title      text        not null,
    words      text        not null,
    focus      text[]      not null,
    stages     text[]      not null,
    countries  text[]      not null,
    sizes      text[]      not null,
    climates   text[]      not null,
    incomes    text[]      not null,
    amount_min float8,
    amount_max float8,
    currency   text,
    opens_on   date,
    closes_on  date,
    city       text,                        -- who offers, where a city does
    source     text        not null,
    state      text        not null,
    at         timestamptz not null,
    who        text        not null
);
create index offer_kind on network_work.offer (state, kind, id);
create index offer_partner on network_work.offer (partner, id);

create table network_work.match (
    id      text        primary key,
    version int         not null,
    need    text        not null references network_work.need,
    offer   text        not null references network_work.offer,
    city    text        not null,
    country text        not null,
    partner text        not null,
    score   float8      not null,
    state   text        not null,
    reasons jsonb       not null,
    steps   jsonb       not null,
    at      timestamptz not null,
    unique (need, offer)
);
create index match_state on network_work.match (state, id);
create index match_city on network_work.match (city, id);
create index match_partner on network_work.match (partner, id);

create table network_work.practice (
    id       text        primary key,
    version  int         not null,
    city     text        not null,
    country  text        not null,
    language text        not null,
    title    text        not null,
    words    text        not null,
    lessons  text        not null,
    focus    text,
    projects text[]      not null,
    results  jsonb       not null,
    state    text        not null,
    at       timestamptz not null,
    who      text        not null,
    grams    text[]      not null           -- runs of three characters: Thai has no spaces
);
create index practice_grams on network_work.practice using gin (grams);
create index practice_state on network_work.practice (state, id);
create index practice_city on network_work.practice (city, id);

create table network_work.meeting (
    id         text        primary key,
    version    int         not null,
    body       text        not null,
    title      text        not null,
    starts_at  timestamptz not null,
    place      text        not null,
    state      text        not null,
    seats      text[]      not null,
    quorum_of  int         not null,
    quorum_in  int         not null,
    attendance jsonb       not null,
    agenda     jsonb       not null,
    decisions  jsonb       not null
);
create index meeting_body on network_work.meeting (body, starts_at desc, id);

create table network_work.paper (
    meeting text        not null references network_work.meeting,
    name    text        not null,
    version int         not null,
    title   text        not null,
    item    int,
    sha256  text        not null,
    bytes   bigint      not null,
    at      timestamptz not null,
    who     text        not null,
    primary key (meeting, name, version)
);

create table network_work.action (
    id         text        primary key,
    meeting    text        not null references network_work.meeting,
    body       text        not null,
    item       int,
    words      text        not null,
    owner      text        not null,
    due_on     date        not null,
    made_at    timestamptz not null,
    done_at    timestamptz,
    done_words text,
    done_by    text
);
create index action_open on network_work.action (body, due_on, id) where done_at is null;
create index action_meeting on network_work.action (meeting, id);
create index action_owner on network_work.action (owner, due_on, id);
