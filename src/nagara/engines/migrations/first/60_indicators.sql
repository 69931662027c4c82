-- Indicators: facts that values are counted from, so that every value can be walked back down.
-- Concerns nobody: no more than the Case entity says.
create schema indicators;

-- One row a case, kept by a reader of the change log. `missed`: once past its due time, for ever,
-- so that reopening a late case does not make it early.
create table indicators.case_fact (
    case_id     text        primary key,
    seq         bigint      not null,
    district    text,
    department  text,
    category    text,
    source      text,
    state       text        not null,
    provenance  text,
    opened_at   timestamptz,
    due_at      timestamptz,
    resolved_at timestamptz,
    missed      boolean     not null default false
);
create index case_fact_district on indicators.case_fact (district);
create index case_fact_opened on indicators.case_fact (opened_at);

