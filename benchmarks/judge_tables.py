"""The tables of a made-up run, in SQL: each follows from the number of the draw alone, so that all
agree. `{...}` are the facts of judge_made.py; see there.
"""

# One row a draw; `fate` says what becomes of it. Times in ms after it was due.
DRAWS = """
CREATE OR REPLACE TEMP TABLE made AS
SELECT n AS intent, md5('draw/' || n) AS draw_key, n % {borrowers} + 1 AS borrower,
    10000 + (n * 7919) % 500 * 100 AS amount_fen,
    {t0} + n * {gap} AS due_ns, 1000000::BIGINT AS ms,
    CASE WHEN n % 2 = 1 THEN 'partner-a' ELSE 'own' END AS tier, (n // 2) % 8 AS slice,
    CASE WHEN n % 33 = 7 THEN 'refused'
        WHEN n % 50 = 13 AND n * {gap} BETWEEN {bite} AND {heal} THEN 'voided'
        WHEN n % 50 = 21 THEN 'again' WHEN n % 100 = 31 THEN 'polled' ELSE 'granted' END AS fate,
    n % 2 = 0 AS looked, n % 8 = 3 AND n < {repaying} AS repays,
    'worker-' || n % {workers} + 1 AS worker, 'gateway-' || n % 2 + 1 AS gateway,
    'ledger-' || n // 2 % 2 + 1 AS ledger,
    CASE WHEN n * {gap} < {baseline} THEN 'warmup' WHEN n * {gap} < {fault} THEN 'baseline'
        WHEN n * {gap} < {watch} THEN 'fault' ELSE 'watch' END AS phase,
    n * {gap} BETWEEN {bite} - 1500000000 AND {bite} - 1 AS straddling
FROM range({count}) r(n)
"""
TABLE_OF: dict[str, str] = {
    "intents": """
        SELECT intent, draw_key, borrower, 'regular' AS "group", amount_fen,
            CASE fate WHEN 'refused' THEN 'securities' ELSE 'education' END AS purpose,
            due_ns - {t0} AS due_ns, phase, straddling FROM made ORDER BY intent""",
    "repay_intents": """
        SELECT intent, md5('repay/' || intent) AS repay_key, borrower, amount_fen,
            due_ns - {t0} + 20000 * ms AS due_ns
        FROM made WHERE repays AND fate NOT IN ('refused', 'voided') ORDER BY intent""",
    "attempts": """
        SELECT intent, kind, k AS n, start_ns AS scheduled_ns, start_ns + 20000 AS sent_ns,
            CASE WHEN status > 0 THEN start_ns + took * ms - 50000 END AS first_byte_ns,
            start_ns + took * ms AS done_ns,
            status, outcome, cause, hop, reason, gateway AS replica, worker
        FROM (
            SELECT *, 'look' AS kind, 1 AS k, due_ns - 600 * ms AS start_ns, 9 AS took,
                200 AS status,
                'granted' AS outcome, NULL AS cause, NULL AS hop, NULL AS reason
            FROM made WHERE looked
            UNION ALL SELECT *, 'press', 1, due_ns,
                CASE fate WHEN 'polled' THEN 1500 WHEN 'voided' THEN 1500 WHEN 'again' THEN 12
                    WHEN 'refused' THEN 6 ELSE 100 + intent % 37 END,
                CASE fate WHEN 'polled' THEN 0 WHEN 'voided' THEN 504 WHEN 'again' THEN 503
                    WHEN 'refused' THEN 403 ELSE 201 END,
                CASE fate WHEN 'polled' THEN 'unknown' WHEN 'voided' THEN 'unknown'
                    WHEN 'again' THEN 'failed' WHEN 'refused' THEN 'refused' ELSE 'granted' END,
                CASE fate WHEN 'granted' THEN NULL WHEN 'refused' THEN 'compliance'
                    ELSE 'system' END,
                CASE fate WHEN 'voided' THEN 'bank.' || tier WHEN 'again' THEN 'gateway'
                    WHEN 'refused' THEN 'compliance' END,
                CASE fate WHEN 'refused' THEN 'purpose-barred' WHEN 'again' THEN 'shed' END
            FROM made
            UNION ALL SELECT *, 'press', 2, due_ns + {again} * ms, 101, 201, 'granted', NULL, NULL,
                NULL FROM made WHERE fate = 'again'
            UNION ALL SELECT *, 'poll', 1, due_ns + 2000 * ms, 9,
                CASE fate WHEN 'voided' THEN 503 ELSE 200 END,
                CASE fate WHEN 'voided' THEN 'unknown' ELSE 'granted' END,
                CASE fate WHEN 'voided' THEN 'system' END,
                CASE fate WHEN 'voided' THEN 'ledger' END,
                CASE fate WHEN 'voided' THEN 'voided' END
            FROM made WHERE fate IN ('polled', 'voided')
            UNION ALL SELECT *, 'close', 1, due_ns + 6000 * ms, 9, 200, 'failed', 'system', NULL,
                'closed' FROM made WHERE fate = 'voided'
            UNION ALL SELECT *, 'repay', 1, due_ns + 20000 * ms, 20, 201, 'repaid', NULL, NULL, NULL
            FROM made WHERE repays AND fate NOT IN ('refused', 'voided')
        ) ORDER BY done_ns""",
    "draws": """
        SELECT draw_key, borrower, amount_fen, CASE fate WHEN 'refused' THEN 'securities'
                ELSE 'education' END AS purpose,
            CASE fate WHEN 'refused' THEN 'refused' WHEN 'voided' THEN 'expired' ELSE 'paid' END
                AS state, (fate <> 'refused')::BIGINT AS "try",
            CASE WHEN fate <> 'refused' THEN tier END AS tier, began + 3 * ms AS requested_ns,
            began + CASE fate WHEN 'refused' THEN 4 ELSE 6 END * ms AS decided_ns,
            ended AS ended_ns,
            CASE fate WHEN 'refused' THEN 'compliance' END AS cause,
            CASE fate WHEN 'refused' THEN 'compliance' END AS hop,
            CASE fate WHEN 'refused' THEN 'purpose-barred' END AS reason, 1 AS risk_policy,
            began + 2 * ms AS risk_ns, 1 AS compliance_rules, began + 2 * ms AS compliance_ns
        FROM timed ORDER BY intent""",
    "tries": """
        SELECT draw_key, 1 AS "try", tier, slice, NULL AS own_slice, 0 AS own_fen,
            draw_key || '.' || tier || '.1' AS payout_key,
            CASE fate WHEN 'voided' THEN 'voided' ELSE 'paid' END AS state,
            began + 6 * ms AS opened_ns, began + 900 * ms AS not_after_ns, ended AS ended_ns,
            CASE fate WHEN 'voided' THEN 'sweeper' ELSE gateway END AS ended_by
        FROM timed WHERE fate <> 'refused' ORDER BY intent""",
    "payouts": """
        SELECT 'bank.' || tier AS bank, draw_key || '.' || tier || '.1' AS payout_key, draw_key,
            amount_fen, ended - 5 * ms AS paid_ns
        FROM timed WHERE fate NOT IN ('refused', 'voided') ORDER BY intent""",
    "tombstones": """
        SELECT 'bank.' || tier AS bank, draw_key || '.' || tier || '.1' AS payout_key,
            ended - ms AS closed_ns FROM timed WHERE fate = 'voided' ORDER BY intent""",
    "repayments": """
        SELECT md5('repay/' || intent) AS repay_key, borrower, amount_fen, 'repaid' AS state,
            due_ns + 20010 * ms AS ended_ns
        FROM made WHERE repays AND fate NOT IN ('refused', 'voided') ORDER BY intent""",
    "versions": """
        SELECT account, row_number() OVER w AS version,
            CASE WHEN account LIKE 'borrower:%' THEN {limit} END AS limit_fen,
            CASE WHEN account LIKE 'borrower:%' THEN sum(owed) OVER w END AS outstanding_fen,
            CASE WHEN account <> 'treasury' THEN sum(held) OVER w END AS held_fen,
            CASE WHEN account NOT LIKE 'borrower:%' THEN sum(balance) OVER w END AS balance_fen,
            locked_ns, draw_key, "try", event
        FROM moves WINDOW w AS (PARTITION BY account ORDER BY locked_ns, draw_key)
        ORDER BY locked_ns, account""",
    "postings": """
        SELECT draw_key, "try", event, account, amount_fen, locked_ns FROM (
            SELECT m.*, unnest(CASE event
                WHEN 'reserve' THEN [slice || ':available', slice || ':held', who || ':available',
                    who || ':held']
                WHEN 'post' THEN [slice || ':held', who || ':outstanding', who || ':held',
                    who || ':drawn']
                WHEN 'void' THEN [slice || ':held', slice || ':available', who || ':held',
                    who || ':available']
                WHEN 'repay' THEN [who || ':outstanding', 'collections:principal', who || ':drawn',
                    who || ':available']
                ELSE ['treasury:available', slice || ':available'] END) AS account,
                unnest(CASE event WHEN 'opening' THEN [-fen, fen]
                    ELSE [-fen, fen, -fen, fen] END) AS amount_fen
            FROM events m
        ) ORDER BY locked_ns""",
    "published": """SELECT NULL AS borrower, 'policy' AS kind, 1 AS policy,
            {t0} - 1000000000 AS published_ns""",
    "policies": """
        SELECT kind, 1 AS policy, forbids, {t0} - 1000000000 AS in_force_ns,
            {t0} - 1000000000 AS adopted_ns, NULL AS replica, NULL AS above_fen,
            NULL AS score_below, NULL AS ended_ns, NULL AS stress_bp, NULL AS keep_bp,
            NULL AS rule
        FROM (VALUES ('risk', NULL), ('compliance', 'securities')) v(kind, forbids)""",
    "tiers": """
        SELECT tier, 'bank.' || tier AS bank, 0.5 AS share, 8 * {opening} AS balance_fen,
            0 AS own_bp, {t0} AS from_ns, NULL AS available, NULL AS hour_limit_fen,
            NULL AS day_limit_fen
        FROM (VALUES ('own'), ('partner-a')) v(tier)""",
    "population": """
        SELECT b AS borrower, 'regular' AS "group", {limit} AS limit_fen, false AS barred,
            false AS delinquent, 24 AS tenure_months, 3000 AS utilisation_bp, 0 AS past_due_days,
            3 AS income_band, false AS student, false AS unverified
        FROM range(1, {borrowers} + 1) r(b)""",
    "generator": """
        SELECT 'worker-' || w AS worker, s AS second, {per_s} // {workers} AS sent,
            1000000 AS late_ns_max, 900000 AS late_ns_p99, 1000000 AS lag_ns_max, 0 AS dropped,
            0 AS gc_ns, 0.1 AS cpu_share, 0.1 AS psi_share, 0.0 AS steal_share,
            900000 AS lag_ns_p99, 100000 AS connect_ns_p99, 200000 AS connect_ns_max
        FROM range({seconds} + 1) r(s), range(1, {workers} + 1) v(w)""",
    "clocks": """
        SELECT 'worker-' || w AS worker, 'here' AS host, {t0} + s * 10000000000 AS at_ns,
            0 AS offset_ns, 50000 AS uncertainty_ns, 0 AS applied_ns, true AS same_kernel,
            8 AS exchanges FROM range({seconds} // 10 + 1) r(s), range(1, {workers} + 1) v(w)""",
    "disk": """
        SELECT {t0} + b * 50000000 AS began_ns, 2000000 + b % 7 * 1000000 AS took_ns
        FROM range(20 * ({seconds} + 2)) r(b)""",
    "notice_looks": """
        SELECT b % {borrowers} + 1 AS borrower, 'gateway-' || b % 2 + 1 AS gateway,
            {t0} + b * 250000000 AS sent_ns, {t0} + b * 250000000 + 2000000 AS done_ns,
            200 AS status, NULL AS policy, NULL AS kind, NULL AS rule
        FROM range(4 * ({seconds} + 2)) r(b)""",
    "states": """
        SELECT 'gateway-' || s % 2 + 1 AS replica, 'breaker' AS kind, 'bank.partner-a' AS subject,
            CASE s // 2 % 2 WHEN 0 THEN 'open' ELSE 'closed' END AS state,
            {t0} + {bite} + s * 100000000 AS at_ns FROM range(40) r(s)""",
    "collections": "SELECT '' AS repay_key, 0 AS borrower, 0 AS amount_fen, 0 AS asked_ns LIMIT 0",
}

SETUP = (
    DRAWS,
    """CREATE OR REPLACE TEMP VIEW timed AS SELECT *,
        due_ns + CASE fate WHEN 'again' THEN {again} ELSE 0 END * ms AS began,
        due_ns + CASE fate WHEN 'again' THEN {again} + 98 WHEN 'voided' THEN 1600
            WHEN 'refused' THEN 5 ELSE 98 END * ms AS ended FROM made""",
    """CREATE OR REPLACE TEMP VIEW events AS
        SELECT draw_key, 1 AS "try", 'reserve' AS event, 'tier:' || tier || '/' || slice AS slice,
            'borrower:' || borrower AS who, amount_fen AS fen, began + 6 * ms AS locked_ns
        FROM timed WHERE fate <> 'refused'
        UNION ALL SELECT draw_key, 1, CASE fate WHEN 'voided' THEN 'void' ELSE 'post' END,
            'tier:' || tier || '/' || slice, 'borrower:' || borrower, amount_fen, ended
        FROM timed WHERE fate <> 'refused'
        UNION ALL SELECT md5('repay/' || intent), 0, 'repay', '', 'borrower:' || borrower,
            amount_fen, due_ns + 20010 * ms
        FROM made WHERE repays AND fate NOT IN ('refused', 'voided')
        UNION ALL SELECT t, 0, 'opening', 'tier:' || t || '/' || s, '', {opening},
            {t0} - 1000000000 + s
        FROM (VALUES ('own'), ('partner-a')) v(t), range(8) r(s)""",
    """CREATE OR REPLACE TEMP VIEW moves AS
        SELECT who AS account, draw_key, "try", event, locked_ns,
            CASE event WHEN 'reserve' THEN fen WHEN 'repay' THEN 0 ELSE -fen END AS held,
            CASE event WHEN 'post' THEN fen WHEN 'repay' THEN -fen ELSE 0 END AS owed, 0 AS balance
        FROM events WHERE event <> 'opening'
        UNION ALL SELECT slice, draw_key, "try", event, locked_ns,
            CASE event WHEN 'reserve' THEN fen WHEN 'opening' THEN 0 ELSE -fen END, 0,
            CASE event WHEN 'reserve' THEN -fen WHEN 'post' THEN 0 ELSE fen END
        FROM events WHERE event <> 'repay'
        UNION ALL SELECT 'treasury', draw_key, "try", event, locked_ns, 0, 0, -fen
        FROM events WHERE event = 'opening'""",
)

# What a draw's calls are: edge, ms after it began to start and to end, side, and of whom.
CALLS = """
SELECT CASE who WHEN 'repay' THEN md5('repay/' || intent) ELSE draw_key END AS draw_key,
    (who NOT IN ('look', 'repay'))::BIGINT AS attempt, replace(edge, 'TIER', tier) AS edge,
    CASE split_part(edge, '->', 1) WHEN 'borrower' THEN 'borrower' WHEN 'gateway' THEN gateway
        ELSE ledger END AS client,
    CASE split_part(edge, '->', 2) WHEN 'gateway' THEN gateway WHEN 'ledger' THEN ledger
        WHEN 'risk' THEN 'risk-1' WHEN 'compliance' THEN 'compliance-1'
        WHEN 'database' THEN 'database-1' ELSE 'bank.' || tier END AS server,
    side, since + low * ms AS start_ns, since + high * ms AS done_ns, true AS sent,
    CASE WHEN fate = 'refused' AND low = 2 AND edge LIKE '%compliance' THEN 'refused'
        WHEN fate = 'voided' AND low = 9 AND side = 'client' THEN 'unknown' ELSE 'ok' END AS result,
    0 AS queue_ns
FROM (
    SELECT *, CASE who WHEN 'look' THEN due_ns - 600 * ms WHEN 'repay' THEN due_ns + 20000 * ms
        ELSE began END AS since
    FROM timed, (VALUES
        ('all', 'borrower->gateway', 1, 99, 'server'),
        ('all', 'gateway->risk', 2, 3, 'client'), ('all', 'gateway->risk', 2, 3, 'server'),
        ('all', 'gateway->compliance', 2, 3, 'client'),
        ('all', 'gateway->compliance', 2, 3, 'server'),
        ('held', 'gateway->ledger', 4, 8, 'client'), ('held', 'gateway->ledger', 4, 8, 'server'),
        ('held', 'ledger->database', 5, 7, 'client'),
        ('held', 'gateway->bank.TIER', 9, 95, 'client'),
        ('held', 'gateway->bank.TIER', 9, 95, 'server'),
        ('paid', 'gateway->ledger', 96, 98, 'client'),
        ('paid', 'gateway->ledger', 96, 98, 'server'),
        ('paid', 'ledger->database', 96, 97, 'client'),
        ('closed', 'ledger->bank.TIER', 1590, 1594, 'client'),
        ('look', 'borrower->gateway', 1, 8, 'server'), ('look', 'gateway->ledger', 2, 7, 'client'),
        ('look', 'gateway->ledger', 2, 7, 'server'), ('look', 'ledger->database', 3, 6, 'client'),
        ('repay', 'borrower->gateway', 1, 19, 'server'),
        ('repay', 'gateway->ledger', 2, 18, 'client'),
        ('repay', 'gateway->ledger', 2, 18, 'server'),
        ('repay', 'ledger->database', 3, 11, 'client')) v(who, edge, low, high, side)
    WHERE intent >= $low AND intent < $high AND CASE who WHEN 'all' THEN true
        WHEN 'held' THEN fate <> 'refused' WHEN 'closed' THEN fate = 'voided'
        WHEN 'paid' THEN fate NOT IN ('refused', 'voided') WHEN 'look' THEN looked
        ELSE repays AND fate NOT IN ('refused', 'voided') END
) ORDER BY start_ns
"""
