-- Cases: what the entity must not say. Kept as long as the Case; the reporter's words, name and
-- contact stand in persons.record, and nothing here names him.
create schema cases;

create sequence cases.number;

-- One row a case, written in the transaction of its entity: the work lists sort and page by it, and
-- `version` decides between two who act at once.
create table cases.case (
    case_id        text        primary key,
    number         text        not null unique,
    version        bigint      not null default 1,
    state          text        not null,
    category       text        not null,
    department     text        not null,
    district       text,
    lon            double precision,
    lat            double precision,
    source         text        not null,
    priority       text,
    provenance     text        not null,
    opened_at      timestamptz not null,
    due_at         timestamptz not null,
    accepted_at    timestamptz,
    resolved_at    timestamptz,
    closed_at      timestamptz,
    ended_at       timestamptz,
    next_at        timestamptz,         -- when the city has to look at it again
    resolution     text,
    rating         int,
    reopened_count int         not null default 0,
    overdue        boolean     not null default false,
    crew           text,                -- account of the crew; the entity says only that there is one
    foreign_status text,
    ref_alert      text,
    ref_request    text,
    photo_count    int         not null default 0,
    step_count     int         not null default 0,
    record         uuid,                -- persons.record of the report
    by_account     boolean     not null default false,  -- that record is one of an account's person
    tracking_hash  bytea       unique   -- HMAC of the tracking code; the code itself is nowhere
);
create index case_next on cases.case (next_at) where next_at is not null;
create index case_due on cases.case (due_at, case_id);
create index case_department on cases.case (department, due_at, case_id);
create index case_opened on cases.case (opened_at desc, case_id desc);
create index case_record on cases.case (record) where record is not null;
create index case_crew on cases.case (crew) where crew is not null;

-- What a case came from, once: an alert, a foreign ticket, a report with an idempotency key.
create table cases.origin (
    kind       text not null,
    foreign_id text not null,
    -- claimed before the case is written: who comes second waits here and finds the first
    case_id    text not null references cases.case deferrable initially deferred,
    primary key (kind, foreign_id)
);

-- The steps that residents see. `words` are staff's; `sealed` names the field of the reporter's
-- private record that holds his own words.
create table cases.step (
    case_id    text        not null references cases.case,
    n          int         not null,
    at         timestamptz not null,
    kind       text        not null,
    state      text        not null,
    department text        not null,
    who        text        not null,
    role       text        not null,
    stars      int,
    status     text,
    words      text,
    sealed     text,
    key        text,                -- the request or change that asked for it: heard twice, done once
    primary key (case_id, n)
);
create unique index step_key on cases.step (case_id, who, key) where key is not null;

create function cases.refuse_rewriting() returns trigger language plpgsql as $$
begin
    raise exception 'steps of a case are only ever appended';
end
$$;
create trigger step_is_append_only before update or delete or truncate on cases.step
    for each statement execute function cases.refuse_rewriting();

-- Photos lie in DATA/files; a reporter's are sealed under the key of his record.
create table cases.photo (
    id         text        primary key,
    case_id    text        not null references cases.case,
    n          int         not null,        -- the step it belongs to
    sealed     boolean     not null,
    media_type text        not null,
    bytes      int         not null,
    width      int         not null,
    height     int         not null
);
create index photo_case on cases.photo (case_id, n);
