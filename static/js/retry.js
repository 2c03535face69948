// The page of an outage tries again by itself. A form that was being sent is asked for again, not sent twice.

setTimeout(() => location.replace(location.href), 10_000);
