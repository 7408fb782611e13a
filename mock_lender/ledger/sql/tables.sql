-- The ledger's tables: accounts, draws, their tries, and what moved money.
--
--   requested --> paying --> paid                     (final)
--       |  |        |
--       |  |        +--> voided --> paying (next try) --> ...
--       |  |                |
--       |  +----------------+--> expired              (final: given up, or left alone)
--       +--> refused                                  (final)
--
-- Rows are locked in one order: draw, borrower, slices (those of `own` first) by their number,
-- treasury, calendar, tiers. An account's version is raised under its row lock and carries
-- locked_ns, read after the lock was won: that is the order of replay. p_offset_ns is CLOCK_MONOTONIC
-- minus the wall clock.

CREATE TABLE borrowers (
    borrower integer PRIMARY KEY,
    "group" text NOT NULL,
    limit_fen bigint NOT NULL CHECK (limit_fen >= 0),
    outstanding_fen bigint NOT NULL DEFAULT 0 CHECK (outstanding_fen >= 0),
    held_fen bigint NOT NULL DEFAULT 0 CHECK (held_fen >= 0),
    barred boolean NOT NULL,
    delinquent boolean NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    CONSTRAINT within_limit CHECK (outstanding_fen + held_fen <= limit_fen)
) WITH (fillfactor = 70);

-- own_bp: in joint lending, the ten-thousandths of each draw that the tier `own` takes.
-- closes: the bank can close a payout key; one that can't refuses what comes after not_after_ns.
-- *_limit_fen: what may be drawn from the tier in an hour, in a day of the calendar; null: any.
-- *_over: the hour, the day in which a limit was cut below what had been drawn.
CREATE TABLE tiers (
    tier text PRIMARY KEY,
    bank text NOT NULL,
    place integer NOT NULL UNIQUE,
    share double precision NOT NULL,
    own_bp integer NOT NULL CHECK (own_bp BETWEEN 0 AND 9999),
    closes boolean NOT NULL,
    hour_limit_fen bigint CHECK (hour_limit_fen >= 0),
    day_limit_fen bigint CHECK (day_limit_fen >= 0),
    hour_over bigint,
    day_over bigint
);

-- A tier's money lies in slices, so that draws of one tier need not wait for one row. Each slice has
-- a part of the tier's limits too: what was drawn from it in `hour` and `day`, counted from when the
-- calendar began, and up to what may be. All parts together are never more than the limit.
CREATE TABLE slices (
    tier text NOT NULL REFERENCES tiers,
    slice integer NOT NULL,
    balance_fen bigint NOT NULL CONSTRAINT has_money CHECK (balance_fen >= 0),
    held_fen bigint NOT NULL DEFAULT 0 CHECK (held_fen >= 0),
    version bigint NOT NULL DEFAULT 0,
    hour bigint,
    hour_used_fen bigint NOT NULL DEFAULT 0 CHECK (hour_used_fen >= 0),
    hour_cap_fen bigint,
    day bigint,
    day_used_fen bigint NOT NULL DEFAULT 0 CHECK (day_used_fen >= 0),
    day_cap_fen bigint,
    CONSTRAINT within_hour CHECK (hour_used_fen <= hour_cap_fen),
    CONSTRAINT within_day CHECK (day_used_fen <= day_cap_fen),
    PRIMARY KEY (tier, slice)
) WITH (fillfactor = 20);

-- Every change of a tier's limits, from when it counted.
CREATE TABLE limits (
    tier text NOT NULL REFERENCES tiers,
    hour_limit_fen bigint,
    day_limit_fen bigint,
    from_ns bigint NOT NULL
);

-- A day has so many hours, each as long as it says: drills press a day into a minute.
-- began: it has been told when its first hour begins. planned: the hour whose planned shares hold.
CREATE TABLE calendar (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    began_ns bigint NOT NULL,
    hour_ns bigint NOT NULL CHECK (hour_ns > 0),
    day_hours integer NOT NULL CHECK (day_hours > 0),
    began boolean NOT NULL DEFAULT false,
    planned bigint NOT NULL DEFAULT -1
);

-- Where top-ups come from and drains go; below zero by as much as it has given.
CREATE TABLE treasury (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    balance_fen bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0
);
INSERT INTO treasury DEFAULT VALUES;

CREATE TABLE draws (
    draw_key text PRIMARY KEY,
    borrower integer NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen > 0),
    purpose text NOT NULL,
    body_hash text NOT NULL,
    state text NOT NULL DEFAULT 'requested'
        CHECK (state IN ('requested', 'paying', 'paid', 'voided', 'refused', 'expired')),
    try integer NOT NULL DEFAULT 0,
    tier text,
    nonce text,
    requested_ns bigint NOT NULL,
    decided_ns bigint,
    ended_ns bigint,
    cause text,
    hop text,
    reason text,
    risk_policy integer,
    risk_ns bigint,
    compliance_rules integer,
    compliance_ns bigint
);
CREATE INDEX draws_waiting ON draws (requested_ns) WHERE state IN ('requested', 'voided');

-- own_fen of the draw's amount are the own tier's part (joint lending), from own_slice; the rest is
-- the tier's, from slice. The tier's bank pays all of it.
CREATE TABLE tries (
    draw_key text NOT NULL REFERENCES draws,
    try integer NOT NULL,
    tier text NOT NULL,
    slice integer NOT NULL,
    own_slice integer,
    own_fen bigint NOT NULL,
    payout_key text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('paying', 'paid', 'voided', 'not_sent')),
    gateway text NOT NULL,
    opened_ns bigint NOT NULL,
    not_after_ns bigint,
    ended_ns bigint,
    ended_by text,
    looks integer NOT NULL DEFAULT 0,
    look_ns bigint NOT NULL,
    PRIMARY KEY (draw_key, try)
);
CREATE INDEX tries_paying ON tries (look_ns) WHERE state = 'paying';

CREATE TABLE repayments (
    repay_key text PRIMARY KEY,
    borrower integer NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen > 0),
    state text NOT NULL CHECK (state IN ('repaid', 'refused')),
    ended_ns bigint NOT NULL
);

-- draw_key: the draw, the repayment's key, or the key of a movement of the treasury.
CREATE TABLE versions (
    account text NOT NULL,
    version bigint NOT NULL,
    limit_fen bigint,
    outstanding_fen bigint,
    held_fen bigint,
    balance_fen bigint,
    locked_ns bigint NOT NULL,
    draw_key text NOT NULL,
    try integer NOT NULL,
    event text NOT NULL,
    PRIMARY KEY (account, version)
);

CREATE TABLE postings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    draw_key text NOT NULL,
    try integer NOT NULL,
    event text NOT NULL,
    account text NOT NULL,
    amount_fen bigint NOT NULL,
    locked_ns bigint NOT NULL
);

CREATE FUNCTION now_ns(p_offset_ns bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000 + p_offset_ns
$$;
