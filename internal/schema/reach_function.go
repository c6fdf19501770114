package schema

import (
	"regexp"
	"strings"
)

// calledFunction is what a function makes use of.
type calledFunction struct{ uses uses }

// function is a function as the catalog has it.
type function struct {
	builtin          bool
	name, volatility string
	language, source string
}

// uses finds what the function makes use of. tree is its parsed body, if it has one.
func (f *function) uses(tree []byte) uses {
	switch {
	case f.builtin && f.volatility == string(Immutable):
		return uses{}
	case f.builtin && f.volatility == string(Stable) && (settledFunctions[f.name] || dateComparison.MatchString(f.name)):
		return uses{}
	case f.builtin && movingFunctions[f.name]:
		return uses{opaque: "calls " + f.name + "(), whose result depends on more than its arguments"}
	case f.builtin:
		because := "calls " + f.name + "(), whose result depends on more than its arguments"
		return uses{opaque: because, personal: because}
	case tree != nil:
		return usesOf(tree)
	}
	if claims, ok := knownBodies[strings.Join(strings.Fields(f.source), " ")]; ok && f.language == "sql" {
		return uses{settings: claims}
	}
	because := "calls " + f.name + "(), whose body is a text that is not looked into"
	return uses{opaque: because, personal: because}
}

// settledFunctions are PostgreSQL's own STABLE functions whose result depends on nothing but their arguments, the settings of
// the session (time zone, formats, search path, roles, text search configuration) and definitions in the catalog. now()
// and its kin are STABLE, too, yet they move; so does timetz(), which takes the zone's offset of today.
var settledFunctions = setOf(`date time timestamp timestamptz date_trunc date_part extract timezone to_char make_timestamptz
	timestamptz_pl_interval timestamptz_mi_interval interval_pl_timestamptz generate_series
	json_agg jsonb_agg json_object_agg jsonb_object_agg json_build_object json_build_array jsonb_build_object jsonb_build_array
	to_json to_jsonb row_to_json array_to_json concat concat_ws format array_to_string quote_literal quote_nullable
	anytextcat textanycat to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_headline
	current_user session_user current_database current_schema current_schemas enum_first enum_last enum_range`)

// movingFunctions are PostgreSQL's own functions that depend on the time or on chance, and on nothing of who calls them but
// the time zone.
var movingFunctions = setOf(`now transaction_timestamp statement_timestamp clock_timestamp timeofday age timetz
	random gen_random_uuid`)

// dateComparison are the comparisons between dates and times with and without a zone.
var dateComparison = regexp.MustCompile(`^(date|timestamp|timestamptz)_(eq|ne|lt|le|gt|ge|cmp)_(date|timestamp|timestamptz)$`)

// knownBodies are the functions for policies that Supabase's databases come with (schema auth), in its current and its
// former form, with runs of white space made one.
var knownBodies = map[string][]SettingRead{
	"select coalesce( nullif(current_setting('request.jwt.claim.sub', true), ''), " +
		"(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub') )::uuid": claimReads("sub"),
	"select coalesce( nullif(current_setting('request.jwt.claim.role', true), ''), " +
		"(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role') )::text": claimReads("role"),
	"select coalesce( nullif(current_setting('request.jwt.claim.email', true), ''), " +
		"(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email') )::text": claimReads("email"),
	"select coalesce( nullif(current_setting('request.jwt.claim', true), ''), " +
		"nullif(current_setting('request.jwt.claims', true), '') )::jsonb": {{Name: "request.jwt.claim"}, {Name: "request.jwt.claims"}},
	"select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid;":  {{Name: "request.jwt.claim.sub"}},
	"select nullif(current_setting('request.jwt.claim.role', true), '')::text;": {{Name: "request.jwt.claim.role"}},
}

func claimReads(claim string) []SettingRead {
	return []SettingRead{{Name: "request.jwt.claim." + claim}, {Name: "request.jwt.claims", Claim: claim}}
}
