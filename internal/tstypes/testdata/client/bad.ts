import { createClient } from "@supabase/supabase-js"
import type { Database, Enums, Tables, TablesInsert } from "./database.js"

const client = createClient<Database>("http://127.0.0.1:3000", "key")

// Every line after a "wrong" is one that the compiler must refuse.
export async function refused() {
  // wrong: no such relation
  await client.from("persons").select()
  // wrong: no such column in a filter
  await client.from("person").select().eq("nmae", "x")
  const posts = await client.from("post").select("body, titel")
  // wrong: no such column in select
  posts.data![0]!.body
  // wrong: not a label
  await client.from("person").select().eq("mood", "angry")
  // wrong: a required column is missing
  await client.from("person").insert({ name: "a" })
  // wrong: always generated
  await client.from("person").update({ id: 1 })
  // wrong: not nullable
  await client.from("person").update({ name: null })
  // wrong: a view that cannot be written
  await client.from("post_count").insert({ author: 1 })
  // wrong: no such function
  await client.rpc("subtract")
  // wrong: an argument is missing
  await client.rpc("one_person", {})
  // wrong: not exposed
  await client.schema("hidden").from("note").select()
}
// wrong: no such relation
export type A = Tables<"note">
// wrong: no such relation
export type B = TablesInsert<"post_count">
// wrong: no such enum
export type C = Enums<"secret_level">
