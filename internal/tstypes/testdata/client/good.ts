import { createClient } from "@supabase/supabase-js"
import { Constants, type CompositeTypes, type Database, type Enums, type Tables, type TablesInsert, type TablesUpdate } from "./database.js"

const client = createClient<Database>("http://127.0.0.1:3000", "key")

// same fails to compile unless the two types are one.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_: Same<A, B>) => {}

export async function reads() {
  const people = await client.from("person").select("id, name, mood, level, home, full_name, profile(bio)").eq("mood", "sad")
  const person = people.data![0]!
  same<typeof person.id, number>(true)
  same<typeof person.mood, "sad" | 'so "so"' | "happy">(true)
  same<typeof person.level, "low" | "high" | null>(true)
  same<typeof person.full_name, string | null>(true)
  same<typeof person.profile, { bio: string | null } | null>(true)

  const posts = await client.from("post").select("body, person!post_author_fkey(name), tag(name)")
  same<(typeof posts.data & {})[number]["person"], { name: string }>(true)
  same<(typeof posts.data & {})[number]["tag"], { name: string }[]>(true)

  const counts = await client.from("post_count").select("posts").single()
  same<(typeof counts.data & {})["posts"], number | null>(true)

  const written = await client.from("person").select("posts(body), last_post(body)")
  same<(typeof written.data & {})[number]["posts"], { body: string }[]>(true)
  same<(typeof written.data & {})[number]["last_post"], { body: string } | null>(true)
}

export async function calls() {
  const sum = await client.rpc("add", { a: 1 })
  same<typeof sum.data, number | null>(true)
  const text = await client.rpc("add", { a: "1", b: "2" })
  same<typeof text.data, string | null>(true)
  const everyone = await client.rpc("everyone").select("name")
  same<typeof everyone.data, { name: string }[] | null>(true)
  const found = await client.rpc("found", { term: "x", moods: ["sad"] })
  same<(typeof found.data & {})[number]["score"], number>(true)
  await client.rpc("nothing")
}

export async function writes() {
  const person: TablesInsert<"person"> = { name: "a", active: true, age: 1, grid: [1], settings: { a: [null] } }
  await client.from("person").insert([person])
  await client.from("person").update({ mood: "happy" } satisfies TablesUpdate<"person">).eq("id", 1)
  await client.from("happy_person").insert({ name: "b" })
  await client.schema("private").from("note").insert({ id: 1 })
}

same<Tables<"post">["editor"], number | null>(true)
same<Tables<"post_count">["posts"], number | null>(true)
same<Tables<{ schema: "private" }, "note">["id"], number>(true)
same<TablesInsert<{ schema: "private" }, "note">["id"], number>(true)
same<Enums<"mood">, "sad" | 'so "so"' | "happy">(true)
same<Enums<{ schema: "private" }, "secret_level">, "low" | "high">(true)
same<CompositeTypes<"address">["city"], string | null>(true)
same<(typeof Constants.public.Enums.mood)[number], Enums<"mood">>(true)
