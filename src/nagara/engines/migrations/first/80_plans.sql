-- Plans and projects of all cities of an installation. Concerns nobody: partners and owners are
-- organisations and functions; who changed something is an account's number. Kept for ever: a
-- project's identity outlives its project.
create schema plans;

-- One row a project. `body` is what its city says of it; the columns are what lists, counts and the
-- map ask for, drawn from the body in the same transaction. `origin`: own (of this city), register
-- (found in a report), received (kept by another system, never edited here).
create table plans.project (
    id             text        primary key,
    city           text        not null,
    country        text        not null,
    name           text        not null,
    sort_name      text        not null collate "C",
    origin         text        not null,
    published      boolean     not null,
    focus_area     text,
    project_type   text,
    stage          text,
    state          text        not null,
    status         text,                    -- as the yearly reports speak; null: not derivable
    start_year     int,
    end_year       int,
    currency       text,
    cost           float8,                  -- null: unknown
    gap            float8,                  -- cost less what is committed and paid; null: unknown
    readiness      int,                     -- null: no evidence
    lon            float8,
    lat            float8,
    worked_example boolean     not null default false,
    merged_into    text,
    split_from     text,
    adopted_from   text,
    ended_year     int,
    reason         text,
    due_on         date,                    -- the next planned stage that is not reached; null: none
    version        bigint      not null,
    changed_at     timestamptz not null,
    search         text        not null,    -- folded names, now and before, and the summary
    body           jsonb       not null,
    check (origin in ('own', 'register', 'received'))
);
create index project_all on plans.project (sort_name, id);
create index project_city on plans.project (city, sort_name, id);
create index project_country on plans.project (country, sort_name, id);
create index project_focus on plans.project (focus_area, sort_name, id);
create index project_state on plans.project (state, sort_name, id);
create index project_stage on plans.project (stage, sort_name, id);
create index project_gap on plans.project (sort_name, id) where gap > 0;
create index project_place on plans.project (id) where lon is not null;

-- Names, now and before, for finding. A city has one living project of a name.
create table plans.project_name (
    project_id text    not null references plans.project on delete cascade,
    city       text    not null,
    folded     text    not null,
    name       text    not null,
    current    boolean not null,
    until_year int,
    source     text    not null default '',
    n          int     not null,
    primary key (project_id, folded)
);
create index project_name_of on plans.project_name (city, folded);
create unique index project_name_current on plans.project_name (city, folded) where current;

-- What each year's report says of a project.
create table plans.year_note (
    project_id text not null references plans.project on delete cascade,
    year       int  not null,
    source     text not null,
    name       text not null,
    focus_area text,
    status     text,
    primary key (project_id, year, source)
);
create index year_note_year on plans.year_note (year, project_id);

create table plans.plan (
    id         text        primary key,
    city       text        not null,
    sort_name  text        not null collate "C",
    published  boolean     not null,
    state      text        not null,     -- draft, adopted, ended, reference
    first_year int         not null,
    last_year  int         not null,
    version    bigint      not null,
    changed_at timestamptz not null,
    body       jsonb       not null
);
create index plan_city on plans.plan (city, sort_name, id);
create index plan_all on plans.plan (sort_name, id);

-- What happened to a project or a plan, step by step; never changed. `before` and `after` hold the
-- fields that changed.
create table plans.step (
    subject text        not null,
    n       int         not null,        -- the version that the step made
    at      timestamptz not null,
    kind    text        not null,
    who     text        not null,
    role    text        not null,
    before  jsonb,
    after   jsonb,
    words   text,
    primary key (subject, n)
);

-- The newest value of an indicator that somebody answers for, heard from the log.
create table plans.heard (
    city         text        not null,
    code         text        not null,
    area         text        not null,
    period_start date        not null,
    period_end   date        not null,
    value        float8,
    unit         text,
    quality      text,
    value_state  text,
    entity_id    text        not null,
    primary key (city, code, area, period_end)
);

-- Files that prove something; the content lies in DATA/files/plans under the id.
create table plans.file (
    id         text        primary key,
    project_id text        not null references plans.project on delete cascade,
    title      text        not null,
    media_type text        not null,
    bytes      int         not null,
    who        text        not null,
    at         timestamptz not null
);
create index file_project on plans.file (project_id);
