"""Refusals and failures as RFC 9457 problems that say who, why, and whether it is certain."""

from starlette.responses import JSONResponse

WRONG_VERSION = "wrong-version"
TEXTS: dict[str, tuple[str, str]] = {
    "over-quota": ("金额超过您的可用额度。", "The amount is above your available quota."),
    "barred": ("您的账户目前不能借款。", "Your account can't borrow at present."),
    "purpose-barred": ("该用途不符合借款规定。", "Loans may not be used for this purpose."),
    "rule-barred": ("按现行规定，这笔借款不能发放。", "A rule in force bars this draw."),
    "delinquent": ("您有逾期未还的借款。", "You have an overdue repayment."),
    "tightened": ("该金额目前不能借款。", "So much can't be borrowed at present."),
    "market-stress": ("您目前不能借款。", "You can't borrow in the present market."),
    "limit-cut": ("您的额度已下调。", "Your limit has been lowered."),
    "no-money": ("资金暂时不足，请稍后再试。", "Funds are short for the moment; try again later."),
    "shed": ("系统繁忙，请稍后再试。", "We are busy; please try again in a moment."),
    WRONG_VERSION: ("系统正在升级，请稍后再试。", "We are updating; please try again in a moment."),
    "in-progress": ("正在处理，请勿重复提交。", "This draw is being worked on."),
    "unknown": ("结果待确认，请稍后查询。", "The result is not known yet; please ask again."),
    "voided": ("暂未放款，可重试或关闭。", "Nothing is paid out so far; try again, or close it."),
    "over-repaid": ("还款金额超过未还本金。", "The amount is more than is outstanding."),
    "key-too-old": ("该编号已过期，请重新申请。", "This key is too old; please start again."),
    "no-primary": ("系统正在切换，请稍后再试。", "We are switching over; please try again."),
    "contended": ("系统繁忙，请稍后再试。", "We are busy; please try again in a moment."),
    "unreachable": ("服务暂时不可用，请重试。", "A part of the service could not be reached."),
    "unknown-key": ("没有找到该笔申请。", "There is no draw with this key."),
    "unknown-borrower": ("没有找到该借款人。", "There is no such borrower."),
    "key-reused": ("该编号已用于另一笔申请。", "This key belongs to a different draw."),
}


def problem(
    status: int,
    *,
    cause: str,
    hop: str,
    reason: str,
    certain: bool = False,
    final: bool = False,
    more: str = "",
    come_back_ms: int = 0,
) -> JSONResponse:
    """An `application/problem+json` answer.

    certain: nothing happened and nothing will. final: stored, and replayed for ever. come_back_ms:
    when it may be tried again; 0: nothing is known of that.
    """
    zh, en = TEXTS.get(reason, ("请求有误。", "The request is not right."))
    body: dict[str, object] = {
        "type": f"urn:problem:lender:{reason}",
        "title": reason,
        "status": status,
        "detail": more or en,
        "detail_zh": zh,
        "cause": cause,
        "hop": hop,
        "reason": reason,
        "certain": certain,
        "final": final,
    }
    headers = {}
    if come_back_ms:
        body["retry_after_ms"] = come_back_ms
        headers["Retry-After"] = str(-(-come_back_ms // 1000))  # whole seconds, RFC 9110 10.2.3
    return JSONResponse(
        body, status_code=status, headers=headers, media_type="application/problem+json"
    )
