type Schemas = Omit<Database, "__InternalSupabase">

// Members are named alone when they are in the default schema, Tables<"films">, and else with their schema:
// Tables<{ schema: "private" }, "films">.
type InSchema = { schema: keyof Schemas }
type SchemaOf<Name> = Name extends { schema: infer S extends keyof Schemas } ? S : "public"
type Members<Name, Part extends "Tables" | "Enums" | "CompositeTypes"> = Schemas[SchemaOf<Name>][Part]
type Relations<Name> = Members<Name, "Tables"> & Schemas[SchemaOf<Name>]["Views"]
type Get<All, Name, Member> = Name extends InSchema
  ? Member extends keyof All ? All[Member] : never
  : Name extends keyof All ? All[Name] : never

export type Tables<
  Name extends keyof Relations<"public"> | InSchema,
  Member extends Name extends InSchema ? keyof Relations<Name> : never = never,
> = Get<Relations<Name>, Name, Member> extends { Row: infer R } ? R : never

export type TablesInsert<
  Name extends keyof Members<"public", "Tables"> | InSchema,
  Member extends Name extends InSchema ? keyof Members<Name, "Tables"> : never = never,
> = Get<Members<Name, "Tables">, Name, Member> extends { Insert: infer I } ? I : never

export type TablesUpdate<
  Name extends keyof Members<"public", "Tables"> | InSchema,
  Member extends Name extends InSchema ? keyof Members<Name, "Tables"> : never = never,
> = Get<Members<Name, "Tables">, Name, Member> extends { Update: infer U } ? U : never

export type Enums<
  Name extends keyof Members<"public", "Enums"> | InSchema,
  Member extends Name extends InSchema ? keyof Members<Name, "Enums"> : never = never,
> = Get<Members<Name, "Enums">, Name, Member>

export type CompositeTypes<
  Name extends keyof Members<"public", "CompositeTypes"> | InSchema,
  Member extends Name extends InSchema ? keyof Members<Name, "CompositeTypes"> : never = never,
> = Get<Members<Name, "CompositeTypes">, Name, Member>
