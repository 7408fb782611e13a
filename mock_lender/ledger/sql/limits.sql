-- What may be drawn from a tier in an hour and in a day of the calendar. A limit lies in parts, one in
-- each slice, so that draws of one tier need not wait for one row; what a slice has drawn is counted
-- under its lock, in the hour and the day of the moment that dates its version.

CREATE FUNCTION hour_at(p_ns bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT floor((p_ns - began_ns)::numeric / hour_ns)::bigint FROM calendar
$$;

CREATE FUNCTION day_at(p_ns bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT floor((p_ns - began_ns)::numeric / hour_ns / day_hours)::bigint FROM calendar
$$;

-- A slice's equal part of an amount; the first has what is left over. Null of null.
CREATE FUNCTION part_of(p_fen bigint, p_slice integer, p_slices bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_fen / p_slices + CASE p_slice WHEN 0 THEN p_fen % p_slices ELSE 0 END
$$;

-- What a slice may still give in this hour, and in this day; null: any amount.
CREATE FUNCTION hour_room(s slices, t tiers, p_slices bigint, p_hour bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN s.hour = p_hour THEN s.hour_cap_fen - s.hour_used_fen
        ELSE part_of(t.hour_limit_fen, s.slice, p_slices) END
$$;

CREATE FUNCTION day_room(s slices, t tiers, p_slices bigint, p_day bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN s.day = p_day THEN s.day_cap_fen - s.day_used_fen
        ELSE part_of(t.day_limit_fen, s.slice, p_slices) END
$$;

-- The slice, which the caller has locked, with p_fen more drawn at p_at_ns. Below zero: a draw from
-- p_since_ns is void, and counts no more if that was in this very hour, this very day; it does count
-- where more is drawn than a limit that was cut allows, since no slice knows what the others are
-- over it. The limits are read after the lock was won, so that one that was cut meanwhile holds.
CREATE FUNCTION drawn(s slices, p_fen bigint, p_since_ns bigint, p_at_ns bigint) RETURNS slices
LANGUAGE plpgsql AS $$
DECLARE t tiers; number bigint; now_hour bigint; now_day bigint;
BEGIN
    SELECT * INTO t FROM tiers WHERE tier = s.tier;
    IF t.hour_limit_fen IS NULL AND t.day_limit_fen IS NULL THEN
        RETURN s;
    END IF;
    SELECT count(*) INTO number FROM slices WHERE tier = s.tier;
    now_hour := hour_at(p_at_ns);
    now_day := day_at(p_at_ns);
    IF s.hour IS DISTINCT FROM now_hour THEN
        s.hour := now_hour;
        s.hour_used_fen := 0;
        s.hour_cap_fen := part_of(t.hour_limit_fen, s.slice, number);
    END IF;
    IF s.day IS DISTINCT FROM now_day THEN
        s.day := now_day;
        s.day_used_fen := 0;
        s.day_cap_fen := part_of(t.day_limit_fen, s.slice, number);
    END IF;
    IF p_fen > 0 OR hour_at(p_since_ns) = now_hour AND t.hour_over IS DISTINCT FROM now_hour THEN
        s.hour_used_fen := s.hour_used_fen + p_fen;
    END IF;
    IF p_fen > 0 OR day_at(p_since_ns) = now_day AND t.day_over IS DISTINCT FROM now_day THEN
        s.day_used_fen := s.day_used_fen + p_fen;
    END IF;
    RETURN s;
END $$;

-- Give what a tier's limits leave to one of its slices, or to all alike (null). The caller has locked
-- all of them. A limit that was cut below what is drawn already leaves nothing.
CREATE FUNCTION spread_limits(p_tier text, p_slice integer, p_at_ns bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE t tiers; s slices; number bigint; hour_left bigint; day_left bigint;
BEGIN
    SELECT * INTO t FROM tiers WHERE tier = p_tier;
    IF t.hour_limit_fen IS NULL AND t.day_limit_fen IS NULL THEN
        RETURN;
    END IF;
    SELECT count(*),
            t.hour_limit_fen
                - coalesce(sum(hour_used_fen) FILTER (WHERE hour = hour_at(p_at_ns)), 0),
            t.day_limit_fen
                - coalesce(sum(day_used_fen) FILTER (WHERE day = day_at(p_at_ns)), 0)
        INTO number, hour_left, day_left FROM slices WHERE tier = p_tier;
    IF hour_left < 0 THEN
        hour_left := 0;
        UPDATE tiers SET hour_over = hour_at(p_at_ns) WHERE tier = p_tier;
    END IF;
    IF day_left < 0 THEN
        day_left := 0;
        UPDATE tiers SET day_over = day_at(p_at_ns) WHERE tier = p_tier;
    END IF;
    FOR s IN SELECT * FROM slices WHERE tier = p_tier ORDER BY slice LOOP
        s := drawn(s, 0, NULL, p_at_ns);
        UPDATE slices SET hour = s.hour, hour_used_fen = s.hour_used_fen,
            day = s.day, day_used_fen = s.day_used_fen,
            hour_cap_fen = s.hour_used_fen + CASE WHEN p_slice IS NULL
                THEN part_of(hour_left, s.slice, number)
                WHEN p_slice = s.slice THEN hour_left
                WHEN hour_left IS NOT NULL THEN 0 END,
            day_cap_fen = s.day_used_fen + CASE WHEN p_slice IS NULL
                THEN part_of(day_left, s.slice, number)
                WHEN p_slice = s.slice THEN day_left
                WHEN day_left IS NOT NULL THEN 0 END
            WHERE tier = p_tier AND slice = s.slice;
    END LOOP;
END $$;

-- From now on a tier has other limits; null: as it was. From when they count.
CREATE FUNCTION set_limits(p_tier text, p_hour bigint, p_day bigint, p_offset_ns bigint)
RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE at_ns bigint;
BEGIN
    PERFORM 1 FROM slices WHERE tier = p_tier ORDER BY slice FOR UPDATE;
    at_ns := now_ns(p_offset_ns);
    UPDATE tiers SET hour_limit_fen = coalesce(p_hour, hour_limit_fen),
        day_limit_fen = coalesce(p_day, day_limit_fen), hour_over = NULL, day_over = NULL
        WHERE tier = p_tier;
    PERFORM spread_limits(p_tier, NULL, at_ns);
    INSERT INTO limits SELECT tier, hour_limit_fen, day_limit_fen, at_ns FROM tiers
        WHERE tier = p_tier;
    RETURN at_ns;
END $$;

-- The calendar begins, before anything is drawn: what was drawn so far counts for nothing.
CREATE FUNCTION begin_calendar(p_began_ns bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE slices SET hour = NULL, day = NULL;
    UPDATE calendar SET began_ns = p_began_ns, began = true, planned = -1
$$;

-- From now on the draws go to the tiers by these shares, unless the hour, or a later one, has been
-- planned already: false.
CREATE FUNCTION plan_hour(p_hour bigint, p_shares jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE calendar SET planned = p_hour WHERE planned < p_hour;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    UPDATE tiers SET share = (p_shares->>tier)::double precision WHERE p_shares ? tier;
    RETURN true;
END $$;
