export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  __InternalSupabase: {
    PostgrestVersion: "14.0"
  }
  public: {
    Tables: {
      part: {
        Row: {
          at: string
          id: number | null
        }
        Insert: {
          at: string
          id?: number | null
        }
        Update: {
          at?: string
          id?: number | null
        }
        Relationships: []
      }
      person: {
        Row: {
          active: boolean
          age: number
          balance: number
          born: string | null
          color: Json | null
          duration: string | null
          email: string | null
          grid: number[]
          home: Database["public"]["CompositeTypes"]["address"] | null
          id: number
          initial: string | null
          level: "low" | "high" | null
          mood: Database["public"]["Enums"]["mood"]
          name: string
          "odd name": string | null
          past_moods: Database["public"]["Enums"]["mood"][] | null
          period: string | null
          raw: string | null
          ref: string | null
          seen: string | null
          settings: Json
          tags: string[]
          full_name: string | null
        }
        Insert: {
          active: boolean
          age: number
          balance?: number
          born?: string | null
          color?: Json | null
          duration?: string | null
          email?: string | null
          grid: number[]
          home?: Database["public"]["CompositeTypes"]["address"] | null
          id?: never
          initial?: never
          level?: "low" | "high" | null
          mood?: Database["public"]["Enums"]["mood"]
          name: string
          "odd name"?: string | null
          past_moods?: Database["public"]["Enums"]["mood"][] | null
          period?: string | null
          raw?: string | null
          ref?: string | null
          seen?: string | null
          settings: Json
          tags?: string[]
        }
        Update: {
          active?: boolean
          age?: number
          balance?: number
          born?: string | null
          color?: Json | null
          duration?: string | null
          email?: string | null
          grid?: number[]
          home?: Database["public"]["CompositeTypes"]["address"] | null
          id?: never
          initial?: never
          level?: "low" | "high" | null
          mood?: Database["public"]["Enums"]["mood"]
          name?: string
          "odd name"?: string | null
          past_moods?: Database["public"]["Enums"]["mood"][] | null
          period?: string | null
          raw?: string | null
          ref?: string | null
          seen?: string | null
          settings?: Json
          tags?: string[]
        }
        Relationships: []
      }
      post: {
        Row: {
          author: number
          body: string
          editor: number | null
          id: number
        }
        Insert: {
          author: number
          body: string
          editor?: number | null
          id?: number
        }
        Update: {
          author?: number
          body?: string
          editor?: number | null
          id?: number
        }
        Relationships: [
          {
            foreignKeyName: "post_author_fkey"
            columns: ["author"]
            isOneToOne: false
            referencedRelation: "happy_person"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "post_author_fkey"
            columns: ["author"]
            isOneToOne: false
            referencedRelation: "person"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "post_editor"
            columns: ["editor"]
            isOneToOne: false
            referencedRelation: "happy_person"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "post_editor"
            columns: ["editor"]
            isOneToOne: false
            referencedRelation: "person"
            referencedColumns: ["id"]
          },
        ]
      }
      post_tag: {
        Row: {
          post: number
          tag: string
        }
        Insert: {
          post: number
          tag: string
        }
        Update: {
          post?: number
          tag?: string
        }
        Relationships: [
          {
            foreignKeyName: "post_tag_post_fkey"
            columns: ["post"]
            isOneToOne: false
            referencedRelation: "post"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "post_tag_tag_fkey"
            columns: ["tag"]
            isOneToOne: false
            referencedRelation: "tag"
            referencedColumns: ["name"]
          },
        ]
      }
      profile: {
        Row: {
          bio: string | null
          person_id: number
        }
        Insert: {
          bio?: string | null
          person_id: number
        }
        Update: {
          bio?: string | null
          person_id?: number
        }
        Relationships: [
          {
            foreignKeyName: "profile_person_id_fkey"
            columns: ["person_id"]
            isOneToOne: true
            referencedRelation: "happy_person"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "profile_person_id_fkey"
            columns: ["person_id"]
            isOneToOne: true
            referencedRelation: "person"
            referencedColumns: ["id"]
          },
        ]
      }
      tag: {
        Row: {
          name: string
        }
        Insert: {
          name: string
        }
        Update: {
          name?: string
        }
        Relationships: []
      }
    }
    Views: {
      happy_person: {
        Row: {
          id: number | null
          mood: Database["public"]["Enums"]["mood"] | null
          name: string | null
        }
        Insert: {
          id?: number | null
          mood?: Database["public"]["Enums"]["mood"] | null
          name?: string | null
        }
        Update: {
          id?: number | null
          mood?: Database["public"]["Enums"]["mood"] | null
          name?: string | null
        }
        Relationships: []
      }
      moods: {
        Row: {
          count: number | null
          mood: Database["public"]["Enums"]["mood"] | null
        }
        Relationships: []
      }
      post_count: {
        Row: {
          author: number | null
          posts: number | null
        }
        Relationships: [
          {
            foreignKeyName: "post_author_fkey"
            columns: ["author"]
            isOneToOne: false
            referencedRelation: "happy_person"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "post_author_fkey"
            columns: ["author"]
            isOneToOne: false
            referencedRelation: "person"
            referencedColumns: ["id"]
          },
        ]
      }
    }
    Functions: {
      add:
        | {
          Args: {
            a: number
            b?: number
          }
          Returns: number
        }
        | {
          Args: {
            a: string
            b: string
          }
          Returns: string
        }
      any_record: {
        Args: never
        Returns: Record<string, unknown>
      }
      everyone: {
        Args: never
        Returns: {
          active: boolean
          age: number
          balance: number
          born: string | null
          color: Json | null
          duration: string | null
          email: string | null
          grid: number[]
          home: Database["public"]["CompositeTypes"]["address"] | null
          id: number
          initial: string | null
          level: "low" | "high" | null
          mood: Database["public"]["Enums"]["mood"]
          name: string
          "odd name": string | null
          past_moods: Database["public"]["Enums"]["mood"][] | null
          period: string | null
          raw: string | null
          ref: string | null
          seen: string | null
          settings: Json
          tags: string[]
        }[]
        SetofOptions: {
          from: "*"
          to: "person"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      found: {
        Args: {
          moods?: Database["public"]["Enums"]["mood"][]
          term: string
        }
        Returns: {
          id: number
          mood: Database["public"]["Enums"]["mood"]
          score: number
        }[]
      }
      home_of: {
        Args: never
        Returns: Database["public"]["CompositeTypes"]["address"]
      }
      last_post: {
        Args: {
          p: Database["public"]["Tables"]["person"]["Row"]
        }
        Returns: {
          author: number
          body: string
          editor: number | null
          id: number
        }
        SetofOptions: {
          from: "person"
          to: "post"
          isOneToOne: true
          isSetofReturn: true
        }
      }
      moods_of: {
        Args: never
        Returns: Database["public"]["Enums"]["mood"][]
      }
      nothing: {
        Args: never
        Returns: undefined
      }
      numbers: {
        Args: never
        Returns: number[]
      }
      one_out: {
        Args: never
        Returns: {
          a: number
        }
      }
      one_person: {
        Args: {
          id: number
        }
        Returns: {
          active: boolean
          age: number
          balance: number
          born: string | null
          color: Json | null
          duration: string | null
          email: string | null
          grid: number[]
          home: Database["public"]["CompositeTypes"]["address"] | null
          id: number
          initial: string | null
          level: "low" | "high" | null
          mood: Database["public"]["Enums"]["mood"]
          name: string
          "odd name": string | null
          past_moods: Database["public"]["Enums"]["mood"][] | null
          period: string | null
          raw: string | null
          ref: string | null
          seen: string | null
          settings: Json
          tags: string[]
        }
        SetofOptions: {
          from: "*"
          to: "person"
          isOneToOne: true
          isSetofReturn: false
        }
      }
      pair: {
        Args: never
        Returns: {
          a: number
          b: string[]
        }
      }
      posts: {
        Args: {
          "": Database["public"]["Tables"]["person"]["Row"]
        }
        Returns: {
          author: number
          body: string
          editor: number | null
          id: number
        }[]
        SetofOptions: {
          from: "person"
          to: "post"
          isOneToOne: false
          isSetofReturn: true
        }
      }
      raw_json: {
        Args: {
          "": Json
        }
        Returns: Json
      }
    }
    Enums: {
      mood: "sad" | "so \"so\"" | "happy"
    }
    CompositeTypes: {
      address: {
        street: string | null
        city: string | null
        moods: Database["public"]["Enums"]["mood"][] | null
      }
    }
  }
}

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

export const Constants = {
  public: {
    Enums: {
      mood: ["sad", "so \"so\"", "happy"],
    },
  },
} as const
