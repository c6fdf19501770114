// What applications do with @supabase/postgrest-js, against the server at API_URL. TOKEN is a member's.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PostgrestClient } from '@supabase/postgrest-js'

const url = process.env.API_URL
const db = new PostgrestClient(url, { headers: { Authorization: `Bearer ${process.env.TOKEN}` } })
const anonymous = new PostgrestClient(url)

// ok gives the data of an answer without an error.
async function ok(query) {
  const { data, error } = await query
  assert.equal(error, null, JSON.stringify(error))
  return data
}

test('select with embeds and filters', async () => {
  const data = await ok(
    db.from('film').select('title, director:person!director_id(name), roles:role(character, person(name))')
      .gte('year', 1960).in('id', [1, 2, 3]).not('title', 'is', null).or('year.lt.1970,title.like.*Sam*')
      .order('year').order('character', { referencedTable: 'role' }))
  assert.deepEqual(data, [
    { title: 'Psycho', director: { name: 'Hitchcock' }, roles: [
      { character: 'Marion', person: { name: 'Leigh' } }, { character: 'Norman', person: { name: 'Perkins' } }] },
    { title: 'The Birds', director: { name: 'Hitchcock' }, roles: [] },
  ])
})

test('inner joins, filters and limits on embeds', async () => {
  const data = await ok(db.from('person').select('name, role!inner(character)').eq('role.character', 'Norman').limit(1, { referencedTable: 'role' }))
  assert.deepEqual(data, [{ name: 'Perkins', role: [{ character: 'Norman' }] }])
})

test('operators', async () => {
  const titles = async (f) => (await ok(f(db.from('film').select('title')).order('id'))).map((r) => r.title)
  assert.deepEqual(await titles((q) => q.ilike('title', '%bird%')), ['The Birds'])
  assert.deepEqual(await titles((q) => q.textSearch('title', 'seven & samurai')), ['Seven Samurai'])
  assert.deepEqual(await titles((q) => q.contains('tags', ['horror'])), ['Psycho', 'The Birds'])
  assert.deepEqual(await titles((q) => q.overlaps('tags', ['epic', 'none'])), ['Seven Samurai'])
  assert.deepEqual(await titles((q) => q.contains('info', { colour: false })), ['Seven Samurai', 'Psycho'])
  assert.deepEqual(await titles((q) => q.eq('info->>colour', 'true')), ['The Birds'])
  assert.deepEqual(await titles((q) => q.match({ year: 1960, title: 'Psycho' })), ['Psycho'])
  assert.deepEqual(await titles((q) => q.filter('year', 'gt', 1960).neq('id', 99).lte('year', 1963)), ['The Birds'])
  assert.deepEqual(await titles((q) => q.eq('title', 'a,b."c"(d)&e=é%')), [])
  assert.deepEqual(await titles((q) => q.in('title', ['Psycho', 'a,b', 'c"d'])), ['Psycho'])
})

test('single and maybeSingle', async () => {
  assert.deepEqual(await ok(db.from('film').select('id').eq('title', 'Psycho').single()), { id: 2 })
  assert.equal(await ok(db.from('film').select('id').eq('title', 'nothing').maybeSingle()), null)
  const none = await db.from('film').select('id').eq('title', 'nothing').single()
  assert.equal(none.status, 406)
  assert.equal(none.error.code, 'PGRST116')
  const many = await db.from('film').select('id').maybeSingle()
  assert.equal(many.error.code, 'PGRST116')
})

test('count and ranges', async () => {
  const { count, data, status } = await db.from('film').select('id', { count: 'exact' }).order('id').range(1, 1)
  assert.deepEqual([count, data, status], [3, [{ id: 2 }], 206])
  const head = await db.from('film').select('*', { count: 'exact', head: true })
  assert.deepEqual([head.count, head.data, head.status], [3, null, 200])
  for (const way of ['planned', 'estimated']) {
    const { count, error } = await db.from('film').select('id', { count: way })
    assert.equal(error, null)
    assert.equal(typeof count, 'number')
  }
})

test('csv and explain', async () => {
  assert.equal(await ok(db.from('film').select('id,title').order('id').limit(2).csv()), 'id,title\n1,"Seven Samurai"\n2,Psycho')
  assert.match(await ok(db.from('film').select('id').explain()), /Aggregate/)
})

test('insert, bulk insert, defaults', async () => {
  assert.equal(await ok(db.from('note').insert({ id: 1, body: 'a' })), null)
  assert.deepEqual(await ok(db.from('note').insert([{ id: 2, body: 'b' }, { id: 3, body: 'c' }]).select('id, body, stars')),
    [{ id: 2, body: 'b', stars: 1 }, { id: 3, body: 'c', stars: 1 }])
  assert.deepEqual(await ok(db.from('note').insert([{ id: 4, body: 'd' }, { id: 5, body: 'e', stars: 5 }], { defaultToNull: false }).select('stars')),
    [{ stars: 1 }, { stars: 5 }])
  const { error, status } = await db.from('note').insert({ id: 1, body: 'again' })
  assert.deepEqual([status, error.code], [409, '23505'])
})

test('upsert', async () => {
  assert.deepEqual(await ok(db.from('note').upsert({ id: 20, body: 'new' }).select('body').single()), { body: 'new' })
  assert.deepEqual(await ok(db.from('note').upsert({ id: 20, body: 'newer' }).select('body').single()), { body: 'newer' })
  assert.deepEqual(await ok(db.from('note').upsert([{ id: 20, body: 'ignored' }, { id: 21, body: 'x' }], { onConflict: 'id', ignoreDuplicates: true }).select('id')), [{ id: 21 }])
  assert.deepEqual(await ok(db.from('note').select('body').eq('id', 20).single()), { body: 'newer' })
})

test('update and delete', async () => {
  await ok(db.from('note').insert([{ id: 30, body: 'a' }, { id: 31, body: 'b' }]))
  const { data, count } = await db.from('note').update({ body: 'c' }, { count: 'exact' }).in('id', [30, 31]).select('id').order('id')
  assert.deepEqual([data, count], [[{ id: 30 }, { id: 31 }], 2])
  const gone = await db.from('note').delete({ count: 'exact' }).eq('id', 30)
  assert.deepEqual([gone.status, gone.count], [204, 1])
  assert.deepEqual(await ok(db.from('note').delete().eq('id', 31).select('body')), [{ body: 'c' }])
})

test('rpc', async () => {
  assert.equal(await ok(db.rpc('add', { a: 2, b: 3 })), 5)
  assert.equal(await ok(db.rpc('add', { a: 2, b: 3 }, { get: true })), 5)
  assert.deepEqual(await ok(db.rpc('films_since', { since: 1960 }).select('title, person!director_id(name)').order('title').limit(1)),
    [{ title: 'Psycho', person: { name: 'Hitchcock' } }])
  const { count } = await db.rpc('films_since', { since: 0 }, { head: true, count: 'exact' })
  assert.equal(count, 3)
  const refused = await db.rpc('refuse')
  assert.deepEqual([refused.status, refused.error.message, refused.error.hint], [402, 'pay first', 'with money'])
})

test('roles and schemas', async () => {
  assert.equal(await ok(db.rpc('who')), process.env.MEMBER)
  assert.equal(await ok(anonymous.rpc('who')), process.env.ANON)
  const { status, error } = await anonymous.from('note').select()
  assert.deepEqual([status, error.code], [401, '42501'])
  const unknown = await db.schema('other').from('film').select()
  assert.deepEqual([unknown.status, unknown.error.code], [406, 'PGRST106'])
  const misspelt = await db.from('films').select()
  assert.deepEqual([misspelt.status, misspelt.error.code, misspelt.error.hint], [404, 'PGRST205', "Perhaps you meant the table 'api.film'"])
})

test('abort', async () => {
  const controller = new AbortController()
  setTimeout(() => controller.abort(), 50)
  const { error } = await db.rpc('sleep', { seconds: 60 }).abortSignal(controller.signal)
  assert.match(error.message, /[Aa]bort/)
  assert.equal(await ok(db.rpc('add', { a: 1, b: 1 })), 2)
})

test('retries', async () => {
  // The client repeats reads that were answered with 503 or 520, or whose connection broke.
  let calls = 0
  const flaky = new PostgrestClient(url, {
    headers: { Authorization: `Bearer ${process.env.TOKEN}` },
    fetch: (input, init) => (calls++ === 0 ? Promise.reject(new TypeError('fetch failed')) : fetch(input, init)),
  })
  const { data, error } = await flaky.from('film').select('id').eq('id', 1)
  assert.equal(error, null)
  assert.deepEqual([calls, data], [2, [{ id: 1 }]])
})

test('throwOnError', async () => {
  await assert.rejects(async () => { await db.from('film').select('nothing').throwOnError() }, /nothing/)
})
