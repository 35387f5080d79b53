-- What scripts do: closures, tables, strings, patterns, sorting with a comparator, objects, floats and integers.
local size = math.tointeger(tonumber((...))) or 1
local checksum = 0xcbf29ce484222325

local function mix(value)
  for i = 1, #value do
    checksum = (checksum ~ value:byte(i)) * 0x100000001b3
  end
end

-- xorshift64, so that no seed of the library's decides.
local state = 88172645463325252
local function random(below)
  state = state ~ (state << 13)
  state = state ~ (state >> 7)
  state = state ~ (state << 17)
  return (state >> 1) % below
end

local function queens(n)
  local columns, rising, falling, found = {}, {}, {}, 0
  local function place(row)
    if row > n then
      found = found + 1
      return
    end
    for column = 1, n do
      local up, down = row + column, row - column
      if not (columns[column] or rising[up] or falling[down]) then
        columns[column], rising[up], falling[down] = true, true, true
        place(row + 1)
        columns[column], rising[up], falling[down] = nil, nil, nil
      end
    end
  end
  place(1)
  return found
end

local Account = {}
Account.__index = Account
Account.__lt = function(a, b) return a.balance < b.balance or a.balance == b.balance and a.name < b.name end
Account.__tostring = function(a) return string.format("%-8s|%08.2f|%x", a.name, a.balance, a.moves) end
function Account.new(name) return setmetatable({ name = name, balance = 0.0, moves = 0 }, Account) end
function Account:move(amount)
  self.balance = self.balance + amount
  self.moves = self.moves + 1
end

local function accounts(count)
  local all = {}
  for i = 1, count do all[i] = Account.new("a" .. random(100000) .. "_" .. i) end
  for _ = 1, count * 10 do all[random(count) + 1]:move((random(2000) - 1000) / 4) end
  table.sort(all, function(a, b) return a < b end)
  local lines = {}
  for i, account in ipairs(all) do lines[i] = tostring(account) end
  return table.concat(lines, "\n")
end

local function words(text)
  local counts, order = {}, {}
  for word in text:gmatch("%a+") do
    word = word:lower()
    if not counts[word] then order[#order + 1] = word end
    counts[word] = (counts[word] or 0) + 1
  end
  table.sort(order)
  local answer = text:gsub("(%d+)", function(digits) return "<" .. tonumber(digits) % 97 .. ">" end)
  for i, word in ipairs(order) do order[i] = word .. "=" .. counts[word] end
  return table.concat(order, " ") .. #answer:rep(3, "-") .. answer:reverse():sub(1, 200)
end

local function bodies(turns)
  local x, y, vx, vy = { 0.0, 1.0, 0.0, 5.2 }, { 0.0, 0.0, 1.5, 0.0 }, { 0.0, 0.0, 0.8, 0.0 }, { 0.0, 1.0, 0.0, 0.4 }
  local mass = { 1.0, 1e-3, 1e-4, 1e-2 }
  for _ = 1, turns do
    for i = 1, 4 do
      for j = 1, 4 do
        if i ~= j then
          local dx, dy = x[j] - x[i], y[j] - y[i]
          local d = dx * dx + dy * dy + 0.01
          local pull = mass[j] / (d * d ^ 0.5) * 0.001
          vx[i], vy[i] = vx[i] + dx * pull, vy[i] + dy * pull
        end
      end
    end
    for i = 1, 4 do x[i], y[i] = x[i] + vx[i] * 0.001, y[i] + vy[i] * 0.001 end
  end
  return string.format("%.12f %.12f", x[2], y[3])
end

for turn = 1, size do
  mix(tostring(queens(5 + turn % 2)))
  mix(accounts(60))
  mix(words(accounts(20) .. " " .. string.char(97 + turn % 26) .. turn))
  mix(bodies(100))
end
print(string.format("lua %016x", checksum))
