-- Makes wrk send requests with a random key in each:
--
--	wrk -s request.lua http://HOST -- TEMPLATE SEED LOW HIGH [VALUES]
--
-- TEMPLATE is a file with the text of a request, {key} in it the place of the key, a number from LOW to HIGH. With
-- VALUES, a file, line n of it takes the place of key LOW + n - 1.

local before, after, low, high
local values = {}

function init(args)
	local file = assert(io.open(args[1], "rb"))
	local template = file:read("*a")
	file:close()
	local first, last = template:find("{key}", 1, true)
	before, after = template:sub(1, first - 1), template:sub(last + 1)
	math.randomseed(tonumber(args[2]))
	low, high = tonumber(args[3]), tonumber(args[4])
	if args[5] then
		local key = low
		for line in io.lines(args[5]) do
			values[key] = line
			key = key + 1
		end
	end
end

function request()
	local key = math.random(low, high)
	return before .. (values[key] or key) .. after
end
