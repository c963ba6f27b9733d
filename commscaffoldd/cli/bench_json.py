"""The result of a bench as JSON."""

from __future__ import annotations

from typing import Any, Final

from commscaffoldd.client.load_result import LoadResult

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)
_MICROSECOND: Final = 1000  # nanoseconds
_MIB: Final = 1 << 20


def bench_json(result: LoadResult, *, interrupted: bool) -> dict[str, Any]:
    """All that was measured. Names end with their unit."""
    plan, window, latencies = result.plan, result.window, result.latencies
    return {
        "address": str(plan.address),
        "layout": plan.layout.name,
        "id": plan.message_id,
        "reply_id": plan.reply_id,
        "body_bytes": len(plan.body),
        "connections": plan.connections,
        "in_flight": plan.in_flight,
        "warm_up_s": plan.warm_up,
        "duration_s": round(window.seconds, 6),
        "interrupted": interrupted,
        "messages": window.messages,
        "rate": round(result.rate, 1),
        "sent_bytes": window.bytes_out,
        "received_bytes": window.bytes_in,
        "sent_mib_per_s": round(result.sent_rate / _MIB, 3),
        "received_mib_per_s": round(result.received_rate / _MIB, 3),
        "latency_us": {
            **{f"p{percent:g}": latencies.percentile(percent) / _MICROSECOND for percent in PERCENTILES},
            "max": latencies.max / _MICROSECOND,
            "mean": round(latencies.mean / _MICROSECOND, 3),
        },
        "histogram": [
            {"from_us": bucket.low / _MICROSECOND, "to_us": bucket.high / _MICROSECOND, "count": bucket.count}
            for bucket in latencies.buckets()
        ],
        "error_count": result.error_count,
        "errors": [
            {"kind": error.kind.value, "code": error.code, "count": error.count, "text": error.text}
            for error in result.errors
        ],
        "connections_opened": result.opened,
        "pushes": result.pushes,
        "go_aways": result.go_aways,
        "dropped": result.dropped,
        "cpu_share": round(result.cpu_share, 3),
        "limited_by_bench": result.limited_by_load,
    }
