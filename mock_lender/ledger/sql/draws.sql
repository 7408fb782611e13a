-- The life of a draw; one function a transaction, one round trip each.

-- The draw's row, made if need be, locked, and its body compared. Null: the key is another's.
CREATE FUNCTION lock_draw(p jsonb, p_offset_ns bigint) RETURNS draws LANGUAGE plpgsql AS $$
DECLARE d draws;
BEGIN
    INSERT INTO draws (draw_key, borrower, amount_fen, purpose, body_hash, requested_ns)
        VALUES (p->>'draw_key', (p->>'borrower')::integer, (p->>'amount_fen')::bigint,
                p->>'purpose', p->>'body_hash', now_ns(p_offset_ns))
        ON CONFLICT (draw_key) DO NOTHING RETURNING * INTO d;
    IF d.draw_key IS NOT NULL THEN
        RETURN d;
    END IF;
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

-- What is known of a draw. An acknowledgement that comes from a read must not come from a row that
-- a failover could still take back: the commit of the message waits for the standby to have flushed
-- it, and with it all that was read before.
CREATE FUNCTION look_up(p_key text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE d draws;
BEGIN
    SELECT * INTO d FROM draws WHERE draw_key = p_key;
    IF d.draw_key IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pg_logical_emit_message(true, 'told', '');
    RETURN told(d);
END $$;

-- When it was decided, and by which policies; a decision to pay is written with the try.
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

-- The slice of a tier that this draw uses: its own by the key, else the next that has the money and
-- the room within its limits, else all of it gathered in one. Without p_rebalance a slice is a part
-- that is kept apart, and its own is the only one. Null: the tier has not that much. A race for the
-- last money is decided by the constraints on the slice; the loser's statement is made again.
CREATE FUNCTION choose_slice(
    d draws, p_tier text, p_amount bigint, p_rebalance boolean, p_offset_ns bigint
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE chosen integer; number bigint; total bigint; mine integer; this_hour bigint; this_day bigint;
BEGIN
    SELECT count(*) INTO number FROM slices WHERE tier = p_tier;
    mine := (hashtext(d.draw_key) & 65535) % number;
    this_hour := hour_at(now_ns(p_offset_ns));
    this_day := day_at(now_ns(p_offset_ns));
    SELECT s.slice INTO chosen FROM slices s JOIN tiers t ON t.tier = s.tier
        WHERE s.tier = p_tier AND (p_rebalance OR s.slice = mine)
            AND least(s.balance_fen, hour_room(s, t, number, this_hour),
                      day_room(s, t, number, this_day)) >= p_amount
        ORDER BY (s.slice - mine + number) % number LIMIT 1;
    IF chosen IS NULL AND p_rebalance THEN
        SELECT least(sum(s.balance_fen), sum(hour_room(s, t, number, this_hour)),
                     sum(day_room(s, t, number, this_day)))
            INTO total FROM slices s JOIN tiers t ON t.tier = s.tier WHERE s.tier = p_tier;
        IF total >= p_amount THEN
            chosen := gather(p_tier, d.draw_key, d.try + 1, p_offset_ns);
        END IF;
    END IF;
    RETURN chosen;
END $$;

-- A try of a tier, not yet written down; null fields where no tier has the money. First the tier
-- whose part of [0, 1) the draw's key falls into; those to be spared after the others, and the
-- avoided last: a tier that is short pays, one whose bank was just asked in vain does not. When all
-- are to be avoided, none is, for a refused call is better than no call. Those that are out are never
-- used. Without fall_through the first is the only one.
CREATE FUNCTION choose(d draws, p jsonb, p_offset_ns bigint) RETURNS tries LANGUAGE plpgsql AS $$
DECLARE t record; chosen tries; point double precision; anywhere boolean; freely boolean;
BEGIN
    anywhere := (p->>'fall_through')::boolean;
    freely := (p->>'rebalance')::boolean;
    point := ('x' || substr(md5(d.draw_key), 1, 8))::bit(32)::bigint / 4294967296.0;
    FOR t IN SELECT * FROM (
        SELECT tiers.*, sum(share) OVER (ORDER BY place) AS upto FROM tiers
    ) u ORDER BY (p->'avoid' ? u.tier), coalesce(p->'spare' ? u.tier, false),
            (point >= u.upto OR point < u.upto - u.share), u.place
        LIMIT CASE WHEN anywhere THEN NULL ELSE 1 END
    LOOP
        CONTINUE WHEN p->'out' ? t.tier;
        chosen.own_fen := d.amount_fen * t.own_bp / 10000;
        CONTINUE WHEN chosen.own_fen > 0 AND p->'out' ? 'own';
        chosen.own_slice := NULL;
        IF chosen.own_fen > 0 THEN
            chosen.own_slice := choose_slice(d, 'own', chosen.own_fen, freely, p_offset_ns);
            CONTINUE WHEN chosen.own_slice IS NULL;
        END IF;
        chosen.slice := choose_slice(d, t.tier, d.amount_fen - chosen.own_fen, freely,
                                     p_offset_ns);
        CONTINUE WHEN chosen.slice IS NULL;
        chosen.tier := t.tier;
        IF NOT t.closes THEN
            chosen.not_after_ns := now_ns(p_offset_ns) + (p->>'pay_within_ns')::bigint;
        END IF;
        RETURN chosen;
    END LOOP;
    RETURN chosen;
END $$;

CREATE FUNCTION open_try(d draws, p jsonb, p_offset_ns bigint) RETURNS tries
LANGUAGE plpgsql AS $$
DECLARE t tries;
BEGIN
    t := choose(d, p, p_offset_ns);
    IF t.tier IS NULL THEN
        RETURN NULL;
    END IF;
    t.draw_key := d.draw_key;
    t.try := d.try + 1;
    t.payout_key := d.draw_key || '.' || t.tier || '.' || t.try;
    t.state := 'paying';
    t.gateway := p->>'gateway';
    t.looks := 0;
    t.opened_ns := move_money(d, t, 'reserve', p_offset_ns);
    -- A bank that can't close is asked half a second after it has begun to refuse the payout.
    t.look_ns := greatest(t.opened_ns + (p->>'look_after_ns')::bigint, t.not_after_ns + 500000000);
    INSERT INTO tries SELECT t.*;
    UPDATE draws SET state = 'paying', try = t.try, tier = t.tier, nonce = p->>'nonce',
        risk_policy = (p->>'risk_policy')::integer, risk_ns = (p->>'risk_ns')::bigint,
        compliance_rules = (p->>'compliance_rules')::integer,
        compliance_ns = (p->>'compliance_ns')::bigint,
        decided_ns = t.opened_ns
        WHERE draw_key = d.draw_key;
    RETURN t;
END $$;

-- The answer to a request that can change nothing any more; null: it may go on.
CREATE FUNCTION ended(d draws, p jsonb, p_offset_ns bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    IF d.draw_key IS NULL THEN
        RETURN jsonb_build_object('state', 'key-reused');
    END IF;
    -- For ever: whoever is told that a draw is gone may ask for it under another key.
    IF d.state IN ('paid', 'refused') THEN
        RETURN told(d);
    END IF;
    IF d.state = 'expired' OR (d.state <> 'paying'
        AND d.requested_ns < now_ns(p_offset_ns) - (p->>'retention_ns')::bigint) THEN
        RETURN jsonb_build_object('state', 'gone');
    END IF;
    RETURN NULL;
END $$;

-- Its borrower gives it up. What no try is open of is never paid: presses that are still on their
-- way find it ended, also those of a key that nobody has heard of so far. What is being paid goes on.
CREATE FUNCTION close_draw(p jsonb, p_offset_ns bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE d draws;
BEGIN
    d := lock_draw(p, p_offset_ns);
    IF d.draw_key IS NULL THEN
        RETURN jsonb_build_object('state', 'key-reused');
    END IF;
    IF d.state = 'paying' THEN
        RETURN jsonb_build_object('state', 'in-progress');
    END IF;
    IF d.state IN ('requested', 'voided') THEN
        UPDATE draws SET state = 'expired', ended_ns = now_ns(p_offset_ns)
            WHERE draw_key = d.draw_key RETURNING * INTO d;
    END IF;
    RETURN told(d);
END $$;

-- Was money brought together for a try? Its slice's version before the one of the try says so.
CREATE FUNCTION gathered(t tries) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM slices s
            JOIN versions v ON v.account = 'tier:' || t.tier || '/' || t.slice
                AND v.version = s.version - 1
            WHERE s.tier = t.tier AND s.slice = t.slice AND v.draw_key = t.draw_key
                AND v.event = 'gather')
$$;

CREATE FUNCTION reserve(p jsonb, p_offset_ns bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE d draws; b borrowers; t tries; done jsonb;
BEGIN
    d := lock_draw(p, p_offset_ns);
    done := ended(d, p, p_offset_ns);
    IF done IS NOT NULL THEN
        RETURN done;
    END IF;
    IF d.state = 'paying' AND d.nonce IS DISTINCT FROM p->>'nonce' THEN
        RETURN jsonb_build_object('state', 'in-progress');
    END IF;
    IF d.state = 'voided' AND d.nonce = p->>'nonce' THEN
        -- The answer to this very request was lost, and its try has ended since.
        RETURN jsonb_build_object('state', 'in-progress');
    END IF;
    IF d.state = 'paying' THEN
        SELECT * INTO t FROM tries WHERE draw_key = d.draw_key AND try = d.try;
    ELSE
        SELECT * INTO b FROM borrowers WHERE borrower = d.borrower FOR UPDATE;
        IF b.borrower IS NULL OR b.barred THEN
            PERFORM decide(d, p, p_offset_ns);
            RETURN refuse_for_good(d, 'compliance', 'ledger', 'barred', p_offset_ns);
        END IF;
        IF d.amount_fen > b.limit_fen - b.outstanding_fen - b.held_fen THEN
            PERFORM decide(d, p, p_offset_ns);
            RETURN refuse_for_good(d, 'quota', 'ledger', 'over-quota', p_offset_ns);
        END IF;
        -- What a policy has left of the limit, as risk has told the gateway; null or all: all of it.
        IF d.amount_fen > b.limit_fen * (p->>'limit_bp')::bigint / 10000
            - b.outstanding_fen - b.held_fen THEN
            PERFORM decide(d, p, p_offset_ns);
            RETURN refuse_for_good(d, 'risk', 'risk', 'limit-cut', p_offset_ns);
        END IF;
        t := open_try(d, p, p_offset_ns);
        IF t.tier IS NULL THEN
            PERFORM decide(d, p, p_offset_ns);
            RETURN jsonb_build_object('state', 'no-money');
        END IF;
    END IF;
    RETURN jsonb_build_object(
        'state', 'paying', 'try', t.try, 'tier', t.tier, 'payout_key', t.payout_key,
        'not_after_ns', t.not_after_ns, 'gathered', gathered(t),
        'bank', (SELECT bank FROM tiers WHERE tier = t.tier));
END $$;

CREATE FUNCTION refuse(p jsonb, p_offset_ns bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE d draws; done jsonb;
BEGIN
    d := lock_draw(p, p_offset_ns);
    done := ended(d, p, p_offset_ns);
    IF done IS NOT NULL THEN
        RETURN done;
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
        at_ns := move_money(d, t, p_event, p_offset_ns);
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
