-- Makes wrk read rows of a table, and write some:
--
--	wrk -s mixed.lua http://HOST -- SEED LOW HIGH WRITES
--
-- Keys from LOW to HIGH are read by Zipf's law with exponent 1: the n-th is asked for n times less often than the first.
-- WRITES, a share, updates a row that any key has equally likely. The sum of hits and reads is in the output.

local low, count, writes
local mine = {}
reads, hits = 0, 0

function setup(thread) table.insert(mine, thread) end

function init(args)
	math.randomseed(tonumber(args[1]))
	low, count, writes = tonumber(args[2]), tonumber(args[3]) - tonumber(args[2]) + 1, tonumber(args[4])
end

function request()
	if math.random() < writes then
		local key = low + math.random(0, count - 1)
		return wrk.format("PATCH", "/bench_key?id=eq." .. key, { ["Content-Type"] = "application/json" }, '{"note":"updated"}')
	end
	local key = low + math.floor(count ^ math.random()) - 1
	return wrk.format("GET", "/bench_key?select=id,n,note&id=eq." .. key)
end

function response(status, headers)
	if status == 200 then
		reads = reads + 1
		if headers["Cache-Status"] == "Slipstream; hit" then hits = hits + 1 end
	end
end

function done()
	for _, thread in ipairs(mine) do
		print("hits " .. thread:get("hits") .. " of " .. thread:get("reads"))
	end
end
