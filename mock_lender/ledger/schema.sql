-- The ledger: accounts, draws, their tries; one function a transaction, one round trip each.
--
--   requested --> paying --> paid                     (final)
--       |           |
--       |           +--> voided --> paying (next try) --> ...
--       +--> refused                                  (final)
--
-- Rows are locked in one order: draw, borrower, tier. An account's version is raised under its
-- row lock and carries locked_ns, read after the lock was won: that is the order of replay.
-- p_offset_ns is CLOCK_MONOTONIC minus the wall clock, measured by the caller just before.

CREATE TABLE borrowers (
    borrower integer PRIMARY KEY,
    "group" text NOT NULL,
    limit_fen bigint NOT NULL CHECK (limit_fen >= 0),
    outstanding_fen bigint NOT NULL DEFAULT 0 CHECK (outstanding_fen >= 0),
    held_fen bigint NOT NULL DEFAULT 0 CHECK (held_fen >= 0),
    barred boolean NOT NULL,
    delinquent boolean NOT NULL,
    version bigint NOT NULL DEFAULT 0,
    CHECK (outstanding_fen + held_fen <= limit_fen)
);

CREATE TABLE tiers (
    tier text PRIMARY KEY,
    bank text NOT NULL,
    place integer NOT NULL,
    share double precision NOT NULL,
    balance_fen bigint NOT NULL CHECK (balance_fen >= 0),
    held_fen bigint NOT NULL DEFAULT 0 CHECK (held_fen >= 0),
    version bigint NOT NULL DEFAULT 0
);

CREATE TABLE draws (
    draw_key text PRIMARY KEY,
    borrower integer NOT NULL,
    amount_fen bigint NOT NULL CHECK (amount_fen > 0),
    purpose text NOT NULL,
    body_hash text NOT NULL,
    state text NOT NULL DEFAULT 'requested'
        CHECK (state IN ('requested', 'paying', 'paid', 'voided', 'refused')),
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

CREATE TABLE tries (
    draw_key text NOT NULL REFERENCES draws,
    try integer NOT NULL,
    tier text NOT NULL,
    payout_key text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('paying', 'paid', 'voided', 'not_sent')),
    gateway text NOT NULL,
    opened_ns bigint NOT NULL,
    ended_ns bigint,
    ended_by text,
    looked_ns bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (draw_key, try)
);
CREATE INDEX tries_paying ON tries (opened_ns) WHERE state = 'paying';

CREATE TABLE versions (
    account text NOT NULL,
    version bigint NOT NULL,
    limit_fen bigint,
    outstanding_fen bigint,
    held_fen bigint NOT NULL,
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

-- Moves money of one draw between the sides of its two accounts, writes both versions and the
-- four postings. The caller has locked the draw; this locks the borrower, then the tier.
CREATE FUNCTION move_money(
    p_key text, p_try integer, p_event text, p_borrower integer, p_tier text, p_amount bigint,
    p_offset_ns bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    b borrowers; t tiers; b_ns bigint; t_ns bigint;
    from_tier text; to_tier text; from_quota text; to_quota text;
BEGIN
    PERFORM 1 FROM borrowers WHERE borrower = p_borrower FOR UPDATE;
    b_ns := now_ns(p_offset_ns);
    UPDATE borrowers SET
        held_fen = held_fen + CASE p_event WHEN 'reserve' THEN p_amount ELSE -p_amount END,
        outstanding_fen = outstanding_fen + CASE p_event WHEN 'post' THEN p_amount ELSE 0 END,
        version = version + 1
        WHERE borrower = p_borrower RETURNING * INTO b;
    PERFORM 1 FROM tiers WHERE tier = p_tier FOR UPDATE;
    t_ns := now_ns(p_offset_ns);
    UPDATE tiers SET
        held_fen = held_fen + CASE p_event WHEN 'reserve' THEN p_amount ELSE -p_amount END,
        balance_fen = balance_fen + CASE p_event
            WHEN 'reserve' THEN -p_amount WHEN 'void' THEN p_amount ELSE 0 END,
        version = version + 1
        WHERE tier = p_tier RETURNING * INTO t;
    INSERT INTO versions VALUES
        ('borrower:' || p_borrower, b.version, b.limit_fen, b.outstanding_fen, b.held_fen, NULL,
         b_ns, p_key, p_try, p_event),
        ('tier:' || p_tier, t.version, NULL, NULL, t.held_fen, t.balance_fen,
         t_ns, p_key, p_try, p_event);
    SELECT CASE p_event WHEN 'reserve' THEN 'available' ELSE 'held' END,
           CASE p_event WHEN 'void' THEN 'available' ELSE 'held' END
        INTO from_quota, to_quota;
    from_tier := 'tier:' || p_tier || ':' || from_quota;
    to_tier := CASE p_event
        WHEN 'post' THEN 'borrower:' || p_borrower || ':outstanding'
        ELSE 'tier:' || p_tier || ':' || to_quota END;
    from_quota := 'borrower:' || p_borrower || ':' || from_quota;
    to_quota := 'borrower:' || p_borrower || ':' ||
        CASE p_event WHEN 'post' THEN 'drawn' ELSE to_quota END;
    INSERT INTO postings (draw_key, try, event, account, amount_fen, locked_ns) VALUES
        (p_key, p_try, p_event, from_tier, -p_amount, t_ns),
        (p_key, p_try, p_event, to_tier, p_amount, t_ns),
        (p_key, p_try, p_event, from_quota, -p_amount, b_ns),
        (p_key, p_try, p_event, to_quota, p_amount, b_ns);
    RETURN t_ns;
END $$;

-- The draw's row, made if need be, locked, and its body compared. Null: the key is another's.
CREATE FUNCTION lock_draw(p jsonb, p_offset_ns bigint) RETURNS draws LANGUAGE plpgsql AS $$
DECLARE d draws;
BEGIN
    INSERT INTO draws (draw_key, borrower, amount_fen, purpose, body_hash, requested_ns)
        VALUES (p->>'draw_key', (p->>'borrower')::integer, (p->>'amount_fen')::bigint,
                p->>'purpose', p->>'body_hash', now_ns(p_offset_ns))
        ON CONFLICT (draw_key) DO NOTHING;
    SELECT * INTO d FROM draws WHERE draw_key = p->>'draw_key' FOR UPDATE;
    IF d.body_hash <> p->>'body_hash' THEN
        RETURN NULL;
    END IF;
    RETURN d;
END $$;

CREATE FUNCTION told(d draws) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'state', d.state, 'try', d.try, 'tier', d.tier,
        'paid_ns', CASE WHEN d.state = 'paid' THEN d.ended_ns END,
        'cause', d.cause, 'hop', d.hop, 'reason', d.reason)
$$;

CREATE FUNCTION decide(d draws, p jsonb, p_offset_ns bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE draws SET
        risk_policy = (p->>'risk_policy')::integer, risk_ns = (p->>'risk_ns')::bigint,
        compliance_rules = (p->>'compliance_rules')::integer,
        compliance_ns = (p->>'compliance_ns')::bigint,
        decided_ns = now_ns(p_offset_ns)
        WHERE draw_key = d.draw_key
$$;

CREATE FUNCTION refuse_for_good(
    d draws, p_cause text, p_hop text, p_reason text, p_offset_ns bigint
) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    UPDATE draws SET state = 'refused', cause = p_cause, hop = p_hop, reason = p_reason,
        ended_ns = now_ns(p_offset_ns) WHERE draw_key = d.draw_key RETURNING * INTO d;
    RETURN told(d);
END $$;

CREATE FUNCTION reserve(p jsonb, p_offset_ns bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE d draws; b borrowers; chosen tiers; locked_ns bigint; key text;
BEGIN
    d := lock_draw(p, p_offset_ns);
    IF d.draw_key IS NULL THEN
        RETURN jsonb_build_object('state', 'key-reused');
    END IF;
    IF d.state IN ('paid', 'refused') THEN
        RETURN told(d);
    END IF;
    IF d.state = 'paying' AND d.nonce IS DISTINCT FROM p->>'nonce' THEN
        RETURN jsonb_build_object('state', 'in-progress');
    END IF;
    IF d.state = 'voided' AND d.nonce = p->>'nonce' THEN
        -- The answer to this very request was lost, and its try has ended since.
        RETURN jsonb_build_object('state', 'in-progress');
    END IF;
    IF d.state = 'paying' THEN
        SELECT * INTO chosen FROM tiers WHERE tier = d.tier;
    ELSE
        SELECT * INTO b FROM borrowers WHERE borrower = d.borrower FOR UPDATE;
        PERFORM decide(d, p, p_offset_ns);
        IF b.borrower IS NULL OR b.barred THEN
            RETURN refuse_for_good(d, 'compliance', 'ledger', 'barred', p_offset_ns);
        END IF;
        IF d.amount_fen > b.limit_fen - b.outstanding_fen - b.held_fen THEN
            RETURN refuse_for_good(d, 'quota', 'ledger', 'over-quota', p_offset_ns);
        END IF;
        chosen := choose_tier(d, p->'avoid');
        IF chosen.tier IS NULL THEN
            RETURN jsonb_build_object('state', 'no-money');
        END IF;
        key := d.draw_key || '.' || chosen.tier || '.' || (d.try + 1);
        locked_ns := move_money(d.draw_key, d.try + 1, 'reserve', d.borrower, chosen.tier,
                                d.amount_fen, p_offset_ns);
        INSERT INTO tries (draw_key, try, tier, payout_key, state, gateway, opened_ns)
            VALUES (d.draw_key, d.try + 1, chosen.tier, key, 'paying', p->>'gateway', locked_ns);
        UPDATE draws SET state = 'paying', try = d.try + 1, tier = chosen.tier,
            nonce = p->>'nonce' WHERE draw_key = d.draw_key RETURNING * INTO d;
    END IF;
    RETURN jsonb_build_object(
        'state', 'paying', 'try', d.try, 'tier', d.tier, 'bank', chosen.bank,
        'payout_key', d.draw_key || '.' || d.tier || '.' || d.try);
END $$;

-- The tier whose part of [0, 1) the draw's key falls into; passing over the avoided and the
-- empty ones. When all are to be avoided, none is: a refused call is better than no call.
CREATE FUNCTION choose_tier(d draws, p_avoid jsonb) RETURNS tiers LANGUAGE plpgsql AS $$
DECLARE chosen tiers; point double precision;
BEGIN
    point := ('x' || substr(md5(d.draw_key), 1, 8))::bit(32)::bigint / 4294967296.0;
    SELECT t.* INTO chosen FROM (
        SELECT tiers.*, sum(share) OVER (ORDER BY place) AS upto FROM tiers
    ) t
        WHERE t.balance_fen >= d.amount_fen
        ORDER BY (p_avoid ? t.tier), (point >= t.upto OR point < t.upto - t.share), t.place
        LIMIT 1;
    RETURN chosen;
END $$;

CREATE FUNCTION refuse(p jsonb, p_offset_ns bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE d draws;
BEGIN
    d := lock_draw(p, p_offset_ns);
    IF d.draw_key IS NULL THEN
        RETURN jsonb_build_object('state', 'key-reused');
    END IF;
    IF d.state IN ('paid', 'refused') THEN
        RETURN told(d);
    END IF;
    IF d.state = 'paying' THEN
        RETURN jsonb_build_object('state', 'in-progress');
    END IF;
    PERFORM decide(d, p, p_offset_ns);
    RETURN refuse_for_good(d, p->>'cause', p->>'hop', p->>'reason', p_offset_ns);
END $$;

-- Ends a try: p_event post or void. Idempotent; any other end than the one it has is refused.
CREATE FUNCTION end_try(
    p_key text, p_try integer, p_event text, p_why text, p_by text, p_offset_ns bigint
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE d draws; t tries; done text; at_ns bigint;
BEGIN
    SELECT * INTO d FROM draws WHERE draw_key = p_key FOR UPDATE;
    SELECT * INTO t FROM tries WHERE draw_key = p_key AND try = p_try;
    IF t.try IS NULL THEN
        RETURN jsonb_build_object('state', 'unknown');
    END IF;
    done := CASE WHEN p_event = 'post' THEN 'paid' WHEN p_why = 'not_sent' THEN 'not_sent'
        ELSE 'voided' END;
    IF t.state = 'paying' AND NOT (p_why = 'not_sent' AND t.gateway <> p_by) THEN
        at_ns := move_money(p_key, p_try, p_event, d.borrower, t.tier, d.amount_fen, p_offset_ns);
        UPDATE tries SET state = done, ended_ns = at_ns, ended_by = p_by
            WHERE draw_key = p_key AND try = p_try RETURNING * INTO t;
        UPDATE draws SET state = CASE p_event WHEN 'post' THEN 'paid' ELSE 'voided' END,
            ended_ns = at_ns WHERE draw_key = p_key RETURNING * INTO d;
    END IF;
    IF p_event = 'post' THEN
        RETURN jsonb_build_object('state', t.state, 'tier', t.tier, 'paid_ns', t.ended_ns);
    END IF;
    RETURN jsonb_build_object(
        'state', CASE WHEN t.state = 'not_sent' THEN 'voided' ELSE t.state END);
END $$;

-- Tries that have been paying for too long and that nobody has looked at lately: claimed for a
-- while by the date of the look, so that no lock is held while the bank is asked.
CREATE FUNCTION claim_stale(
    p_older_ns bigint, p_again_ns bigint, p_most integer, p_offset_ns bigint
) RETURNS TABLE (draw_key text, try integer, bank text, payout_key text, amount_fen bigint)
LANGUAGE sql AS $$
    WITH stale AS (
        SELECT t.draw_key, t.try FROM tries t
            WHERE t.state = 'paying' AND t.opened_ns < now_ns(p_offset_ns) - p_older_ns
                AND t.looked_ns < now_ns(p_offset_ns) - p_again_ns
            ORDER BY t.opened_ns LIMIT p_most FOR UPDATE SKIP LOCKED
    ), claimed AS (
        UPDATE tries t SET looked_ns = now_ns(p_offset_ns) FROM stale
            WHERE t.draw_key = stale.draw_key AND t.try = stale.try RETURNING t.*
    )
    SELECT c.draw_key, c.try, tiers.bank, c.payout_key, d.amount_fen
        FROM claimed c JOIN tiers ON tiers.tier = c.tier JOIN draws d ON d.draw_key = c.draw_key
$$;
