-- Moving money: the only functions that change an account. Each change is a version of the account
-- and a pair of postings; the postings of one (draw_key, try, event) sum to zero. What an UPDATE
-- returns is worked out after its row lock was won, the clock too.

CREATE FUNCTION post_pair(
    p_key text, p_try integer, p_event text, p_from text, p_to text, p_amount bigint, p_ns bigint
) RETURNS void LANGUAGE sql AS $$
    INSERT INTO postings (draw_key, try, event, account, amount_fen, locked_ns) VALUES
        (p_key, p_try, p_event, p_from, -p_amount, p_ns),
        (p_key, p_try, p_event, p_to, p_amount, p_ns)
$$;

-- Change what a borrower owes and what is held for it; when its lock was won.
CREATE FUNCTION move_quota(
    p_borrower integer, p_outstanding bigint, p_held bigint,
    p_key text, p_try integer, p_event text, p_offset_ns bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE number bigint; limited bigint; owed bigint; held bigint; at_ns bigint;
BEGIN
    UPDATE borrowers SET outstanding_fen = outstanding_fen + p_outstanding,
        held_fen = held_fen + p_held, version = version + 1
        WHERE borrower = p_borrower
        RETURNING version, limit_fen, outstanding_fen, held_fen, now_ns(p_offset_ns)
        INTO number, limited, owed, held, at_ns;
    INSERT INTO versions VALUES
        ('borrower:' || p_borrower, number, limited, owed, held, NULL,
         at_ns, p_key, p_try, p_event);
    RETURN at_ns;
END $$;

-- Change what a slice has and what is held of it, and by p_drawn what counts against its limits, of
-- a draw from p_since_ns; when its lock was won, or p_at_ns, since when it has been locked.
CREATE FUNCTION move_slice(
    p_tier text, p_slice integer, p_balance bigint, p_held bigint, p_drawn bigint,
    p_since_ns bigint, p_at_ns bigint, p_key text, p_try integer, p_event text, p_offset_ns bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE number bigint; balance bigint; held bigint; at_ns bigint; s slices;
BEGIN
    SELECT * INTO s FROM slices WHERE tier = p_tier AND slice = p_slice FOR UPDATE;
    at_ns := coalesce(p_at_ns, now_ns(p_offset_ns));
    s := drawn(s, p_drawn, p_since_ns, at_ns);
    UPDATE slices SET balance_fen = balance_fen + p_balance, held_fen = held_fen + p_held,
        hour = s.hour, hour_used_fen = s.hour_used_fen, hour_cap_fen = s.hour_cap_fen,
        day = s.day, day_used_fen = s.day_used_fen, day_cap_fen = s.day_cap_fen,
        version = version + 1
        WHERE tier = p_tier AND slice = p_slice
        RETURNING version, held_fen, balance_fen INTO number, held, balance;
    INSERT INTO versions VALUES
        ('tier:' || p_tier || '/' || p_slice, number, NULL, NULL, held, balance,
         at_ns, p_key, p_try, p_event);
    RETURN at_ns;
END $$;

-- One part of a try: a slice's money into its hold, out of it to the borrower, or back.
CREATE FUNCTION move_part(
    p_tier text, p_slice integer, p_amount bigint, p_borrower integer, p_since_ns bigint,
    p_at_ns bigint, p_key text, p_try integer, p_event text, p_offset_ns bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE at_ns bigint; account text := 'tier:' || p_tier || '/' || p_slice;
BEGIN
    at_ns := move_slice(
        p_tier, p_slice,
        CASE p_event WHEN 'reserve' THEN -p_amount WHEN 'void' THEN p_amount ELSE 0 END,
        CASE p_event WHEN 'reserve' THEN p_amount ELSE -p_amount END,
        CASE p_event WHEN 'reserve' THEN p_amount WHEN 'void' THEN -p_amount ELSE 0 END,
        p_since_ns, p_at_ns, p_key, p_try, p_event, p_offset_ns);
    PERFORM post_pair(
        p_key, p_try, p_event,
        account || CASE p_event WHEN 'reserve' THEN ':available' ELSE ':held' END,
        CASE p_event
            WHEN 'reserve' THEN account || ':held'
            WHEN 'void' THEN account || ':available'
            ELSE 'borrower:' || p_borrower || ':outstanding' END,
        p_amount, at_ns);
    RETURN at_ns;
END $$;

-- A whole try: the borrower's quota, the own tier's part and the tier's; p_event is reserve, post
-- or void. The caller has locked the draw. When the last of the locks was won.
CREATE FUNCTION move_money(
    d draws, t tries, p_event text, p_offset_ns bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE at_ns bigint; both_ns bigint; quota text := 'borrower:' || d.borrower || ':';
BEGIN
    at_ns := move_quota(
        d.borrower, CASE p_event WHEN 'post' THEN d.amount_fen ELSE 0 END,
        CASE p_event WHEN 'reserve' THEN d.amount_fen ELSE -d.amount_fen END,
        d.draw_key, t.try, p_event, p_offset_ns);
    PERFORM post_pair(
        d.draw_key, t.try, p_event,
        quota || CASE p_event WHEN 'reserve' THEN 'available' ELSE 'held' END,
        quota || CASE p_event
            WHEN 'reserve' THEN 'held' WHEN 'void' THEN 'available' ELSE 'drawn' END,
        d.amount_fen, at_ns);
    IF t.own_fen > 0 THEN
        -- One moment for both parts: it says which hour's and which day's limits they count against.
        PERFORM 1 FROM slices WHERE tier = 'own' AND slice = t.own_slice FOR UPDATE;
        PERFORM 1 FROM slices WHERE tier = t.tier AND slice = t.slice FOR UPDATE;
        both_ns := now_ns(p_offset_ns);
        at_ns := move_part('own', t.own_slice, t.own_fen, d.borrower, t.opened_ns, both_ns,
                           d.draw_key, t.try, p_event, p_offset_ns);
        IF p_event = 'post' THEN
            -- The tier's bank has paid all of it: the own part is owed to it.
            PERFORM post_pair(d.draw_key, t.try, p_event, 'settlement:own:payable',
                'settlement:' || t.tier || ':receivable', t.own_fen, at_ns);
        END IF;
    END IF;
    RETURN move_part(t.tier, t.slice, d.amount_fen - t.own_fen, d.borrower, t.opened_ns,
                     both_ns, d.draw_key, t.try, p_event, p_offset_ns);
END $$;

-- Move all that a tier has into one of its slices, whose number is the result, with all that its
-- limits leave. Locks all of them, in order; for the last draws of a tier, or of its hour, when no
-- slice has enough alone.
CREATE FUNCTION gather(p_tier text, p_key text, p_try integer, p_offset_ns bigint)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE s slices; total bigint := 0; first integer;
BEGIN
    FOR s IN SELECT * FROM slices WHERE tier = p_tier ORDER BY slice FOR UPDATE LOOP
        first := coalesce(first, s.slice);
        IF s.slice <> first AND s.balance_fen > 0 THEN
            PERFORM move_slice(p_tier, s.slice, -s.balance_fen, 0, 0, NULL, NULL, p_key, p_try,
                               'gather', p_offset_ns);
            PERFORM post_pair(p_key, p_try, 'gather', 'tier:' || p_tier || '/' || s.slice ||
                ':available', 'tier:' || p_tier || '/' || first || ':available',
                s.balance_fen, now_ns(p_offset_ns));
            total := total + s.balance_fen;
        END IF;
    END LOOP;
    IF total > 0 THEN
        PERFORM move_slice(p_tier, first, total, 0, 0, NULL, NULL, p_key, p_try, 'gather',
                           p_offset_ns);
    END IF;
    PERFORM spread_limits(p_tier, first, now_ns(p_offset_ns));
    RETURN first;
END $$;

-- Give a tier money from the treasury, spread over its slices, or take it away (p_amount below
-- zero), from wherever it lies. Once a key: asked again it is done already.
CREATE FUNCTION move_treasury(p_tier text, p_amount bigint, p_key text, p_event text,
                              p_offset_ns bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE s slices; left_fen bigint := p_amount; part bigint; number bigint; at_ns bigint; v treasury;
BEGIN
    -- The first of the locks, and nobody else's: two requests with one key must not both find it new.
    PERFORM pg_advisory_xact_lock(hashtext(p_key));
    IF EXISTS (SELECT 1 FROM versions WHERE account = 'treasury' AND draw_key = p_key) THEN
        RETURN true;
    END IF;
    SELECT count(*) INTO number FROM slices WHERE tier = p_tier;
    FOR s IN SELECT * FROM slices WHERE tier = p_tier ORDER BY slice FOR UPDATE LOOP
        part := CASE WHEN left_fen >= 0 THEN left_fen / number
            ELSE -least(-left_fen, s.balance_fen) END;
        number := number - 1;
        CONTINUE WHEN part = 0;
        at_ns := move_slice(p_tier, s.slice, part, 0, 0, NULL, NULL, p_key, 0, p_event, p_offset_ns);
        PERFORM post_pair(p_key, 0, p_event, 'treasury:available',
            'tier:' || p_tier || '/' || s.slice || ':available', part, at_ns);
        left_fen := left_fen - part;
    END LOOP;
    IF left_fen <> 0 THEN
        RAISE EXCEPTION 'tier % has not that much', p_tier USING ERRCODE = 'check_violation';
    END IF;
    PERFORM 1 FROM treasury FOR UPDATE;
    at_ns := now_ns(p_offset_ns);
    UPDATE treasury SET balance_fen = balance_fen - p_amount, version = version + 1
        RETURNING * INTO v;
    INSERT INTO versions VALUES
        ('treasury', v.version, NULL, NULL, NULL, v.balance_fen, at_ns, p_key, 0, p_event);
    RETURN true;
END $$;

-- A repayment restores quota. Once a key; another body under a key is refused by the caller.
CREATE FUNCTION repay(p_key text, p_borrower integer, p_amount bigint, p_offset_ns bigint)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE known repayments; b borrowers; at_ns bigint; account text := 'borrower:' || p_borrower;
BEGIN
    SELECT * INTO b FROM borrowers WHERE borrower = p_borrower FOR UPDATE;
    SELECT * INTO known FROM repayments WHERE repay_key = p_key FOR UPDATE;
    IF known.repay_key IS NULL THEN
        IF b.borrower IS NULL OR p_amount > b.outstanding_fen THEN
            INSERT INTO repayments VALUES (p_key, p_borrower, p_amount, 'refused',
                now_ns(p_offset_ns)) RETURNING * INTO known;
        ELSE
            at_ns := move_quota(p_borrower, -p_amount, 0, p_key, 0, 'repay', p_offset_ns);
            PERFORM post_pair(p_key, 0, 'repay', account || ':outstanding', 'collections:principal',
                              p_amount, at_ns);
            PERFORM post_pair(p_key, 0, 'repay', account || ':drawn', account || ':available',
                              p_amount, at_ns);
            INSERT INTO repayments VALUES (p_key, p_borrower, p_amount, 'repaid', at_ns)
                RETURNING * INTO known;
        END IF;
    ELSIF known.borrower <> p_borrower OR known.amount_fen <> p_amount THEN
        RETURN jsonb_build_object('state', 'key-reused');
    END IF;
    SELECT * INTO b FROM borrowers WHERE borrower = p_borrower;
    RETURN jsonb_build_object('state', known.state, 'ended_ns', known.ended_ns,
        'available_fen', b.limit_fen - b.outstanding_fen - b.held_fen);
END $$;
