-- What the sweeper asks for: work that others have left, claimed for a while by the date of the
-- next look, so that no lock is held while a bank is asked.

-- Tries that have been paying for too long, but for those of banks that the asker can't ask now:
-- another may. Each look doubles the wait for the next.
CREATE FUNCTION claim_stale(p_again_ns bigint, p_most integer, p_not_of text[], p_offset_ns bigint)
RETURNS TABLE (draw_key text, try integer, bank text, payout_key text, closes boolean,
               not_after_ns bigint)
LANGUAGE sql AS $$
    WITH stale AS (
        SELECT t.draw_key, t.try FROM tries t JOIN tiers ON tiers.tier = t.tier
            WHERE t.state = 'paying' AND t.look_ns <= now_ns(p_offset_ns)
                AND tiers.bank <> ALL (p_not_of)
            ORDER BY t.look_ns LIMIT p_most FOR UPDATE OF t SKIP LOCKED
    ), claimed AS (
        UPDATE tries t SET looks = looks + 1,
            look_ns = now_ns(p_offset_ns) + p_again_ns * (1 << least(t.looks, 3))
            FROM stale WHERE t.draw_key = stale.draw_key AND t.try = stale.try RETURNING t.*
    )
    SELECT c.draw_key, c.try, tiers.bank, c.payout_key, tiers.closes, c.not_after_ns
        FROM claimed c JOIN tiers ON tiers.tier = c.tier
$$;

-- Draws that nobody has come back to: they never will be paid. How many there were.
CREATE FUNCTION expire(p_older_ns bigint, p_most integer, p_offset_ns bigint)
RETURNS bigint LANGUAGE sql AS $$
    WITH left_alone AS (
        SELECT d.draw_key FROM draws d
            WHERE d.state IN ('requested', 'voided')
                AND greatest(d.requested_ns, d.decided_ns, d.ended_ns)
                    < now_ns(p_offset_ns) - p_older_ns
            LIMIT p_most FOR UPDATE SKIP LOCKED
    ), expired AS (
        UPDATE draws d SET state = 'expired', ended_ns = now_ns(p_offset_ns)
            FROM left_alone WHERE d.draw_key = left_alone.draw_key RETURNING 1
    )
    SELECT count(*) FROM expired
$$;
