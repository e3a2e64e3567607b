-- The load of one measurement, for wrk: the prepared bodies of one case, in turn, to one server.
-- It knows neither server: what to send is in two files that `sides.py` wrote. From the environment:
--
--   BENCH_CASE     the case's file: line 1 the path, line 2 the bytes of an answer on average,
--                  then one JSON body a line, behind a path of its own and a space where it has one
--   BENCH_HEADERS  the server's request headers, one `name: value` a line
--   BENCH_RESULT   where the result goes, one line of tab-separated integers: requests, microseconds,
--                  bytes received, p50 and p99 in microseconds, answers that are no success, failed
--                  connects, reads, writes, requests without an answer in time
--
-- Requests are formatted once, before the load, and answers are not parsed here: on a machine that the
-- server shares, what wrk does costs the server.

local function lines(variable)
    local path = assert(os.getenv(variable), variable .. " is not set: run benches/openbao.sh")
    local found = {}
    for line in io.lines(path) do
        found[#found + 1] = line
    end
    return found
end

local requests = {}
local turn = 0

function init(_)
    local headers = { ["Content-Type"] = "application/json" }
    for _, line in ipairs(lines("BENCH_HEADERS")) do
        local name, value = line:match("^([^:]+): (.*)$")
        headers[assert(name, "a header is `name: value`")] = value
    end
    local case = lines("BENCH_CASE")
    for number = 3, #case do
        local path, body = case[number]:match("^(/[^ ]*) (.*)$")
        requests[#requests + 1] = wrk.format("POST", path or case[1], headers, body or case[number])
    end
    assert(#requests > 0, "the case has no bodies")
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function done(summary, latency, _)
    local errors = summary.errors
    local file = assert(io.open(os.getenv("BENCH_RESULT"), "w"))
    local fields = {
        summary.requests, summary.duration, summary.bytes,
        latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect, errors.read, errors.write, errors.timeout,
    }
    for number, field in ipairs(fields) do
        fields[number] = string.format("%d", field)
    end
    file:write(table.concat(fields, "\t"), "\n")
    file:close()
end
