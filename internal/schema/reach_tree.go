package schema

import (
	"slices"
	"strings"
)

// OIDs that PostgreSQL never changes (pg_type.dat, pg_proc.dat, pg_operator.dat).
const (
	textType = 25

	currentSetting        = 2077 // current_setting(text)
	currentSettingMissing = 3294 // current_setting(text, boolean)
)

// memberOperators are ->> and -> with a text: of json, of jsonb.
var memberOperators = []uint32{3962, 3963, 3211, 3477}

// plainNodes are the nodes whose value depends on their parts alone. PostgreSQL 16 has renamed some.
var plainNodes = setOf(`QUERY RTE RANGETBLENTRY RTEPERMISSIONINFO ALIAS FROMEXPR JOINEXPR RANGETBLREF RANGETBLFUNCTION TARGETENTRY
	VAR CONST FUNCEXPR NAMEDARGEXPR OPEXPR DISTINCTEXPR NULLIFEXPR SCALARARRAYOPEXPR BOOLEXPR SUBLINK FIELDSELECT FIELDSTORE
	RELABELTYPE ARRAYCOERCEEXPR CONVERTROWTYPEEXPR COLLATE COLLATEEXPR CASE CASEEXPR WHEN CASEWHEN CASETESTEXPR ARRAY ARRAYEXPR ROW
	ROWEXPR ROWCOMPARE ROWCOMPAREEXPR COALESCE COALESCEEXPR MINMAX MINMAXEXPR NULLTEST BOOLEANTEST AGGREF GROUPINGFUNC WINDOWFUNC
	SORTGROUPCLAUSE GROUPINGSET WINDOWCLAUSE WITHCLAUSE COMMONTABLEEXPR SETOPERATIONSTMT SUBSCRIPTINGREF XMLEXPR PARAM NOTIFY
	RETURNSTMT ROWMARKCLAUSE CTESEARCHCLAUSE CTECYCLECLAUSE COERCETODOMAIN COERCETODOMAINVALUE GROUPEDEXPR MERGESUPPORTFUNC`)

// safeResults are the types that text can be turned into by their input function: it depends on nothing but the text, unlike
// that of dates, which know 'now' and 'today', and of names of catalog entries.
var safeResults = map[uint32]bool{
	16: true, 17: true, 19: true, 20: true, 21: true, 23: true, textType: true, 114: true, 700: true, 701: true,
	1042: true, 1043: true, 1700: true, 2950: true, 3802: true, 1009: true, 1007: true, 1016: true, 2951: true,
}

func setOf(names string) map[string]bool {
	out := map[string]bool{}
	for _, n := range strings.Fields(names) {
		out[n] = true
	}
	return out
}

// usesOf finds what a node tree makes use of.
func usesOf(text []byte) uses {
	nodes, err := parseTree(text)
	if err != nil {
		const because = "has an expression that cannot be read"
		return uses{opaque: because, personal: because}
	}
	v := visitor{}
	for _, n := range nodes {
		v.visit(n)
	}
	return v.uses
}

type visitor struct{ uses }

func (v *visitor) visit(n *treeNode) {
	if s, ok := memberRead(n); ok {
		v.settings = append(v.settings, s)
		return // what is below was looked at
	}
	v.look(n)
	for i := range n.fields {
		for _, c := range n.fields[i].nodes {
			v.visit(c)
		}
	}
}

func (v *visitor) look(n *treeNode) {
	switch n.name {
	case "SQLVALUEFUNCTION":
		const currentRole = 9 // enum SQLValueFunctionOp: dates and times come first, then roles, database and schema
		if n.number("op") < currentRole {
			v.moves("reads the clock")
		}
		return
	case "COERCEVIAIO":
		if !safeResults[n.number("resulttype")] {
			because := "turns text into a type whose values may depend on the time or on the catalog"
			if v.moves(because); n.number("resulttype") >= firstUserOID { // whose input function can be anybody's
				v.because(because)
			}
		}
		return
	case "TABLESAMPLECLAUSE":
		v.moves("reads a random sample")
		return
	}
	if !plainNodes[n.name] {
		v.because("has an expression of kind " + n.name)
		return
	}
	for i := range n.fields {
		switch f := &n.fields[i]; f.key {
		case "relid":
			if oid := n.number("relid"); oid != 0 {
				v.relations = append(v.relations, oid)
			}
		case "funcid", "opfuncid", "aggfnoid", "winfnoid":
			v.call(n, n.number(f.key))
		}
	}
}

func (v *visitor) call(n *treeNode, function uint32) {
	switch function {
	case 0:
		v.because("calls a function that is not known")
	case currentSetting, currentSettingMissing:
		name, ok := settingName(n)
		if !ok {
			v.because("reads a setting whose name is computed")
			return
		}
		v.settings = append(v.settings, SettingRead{Name: name})
	default:
		v.functions = append(v.functions, function)
	}
}

// settingName is the argument of a call of current_setting, if it is a constant.
func settingName(n *treeNode) (string, bool) {
	args := n.field("args").nodes
	if len(args) == 0 {
		return "", false
	}
	name, ok := args[0].text()
	return strings.ToLower(name), ok
}

func onlyConstants(nodes []*treeNode) bool {
	return !slices.ContainsFunc(nodes, func(n *treeNode) bool { return n.name != "CONST" })
}

// memberRead recognises current_setting('name')::json ->> 'member', also with nullif(…, ”) inside, as Supabase has it: the
// value depends on nothing of the setting but that member.
func memberRead(n *treeNode) (s SettingRead, ok bool) {
	args := n.field("args").nodes
	if n.name != "OPEXPR" || len(args) != 2 || !slices.Contains(memberOperators, n.number("opno")) {
		return s, false
	}
	if s.Claim, ok = args[1].text(); !ok || s.Claim == "" {
		return s, false
	}
	for n = args[0]; ; {
		switch n.name {
		case "COERCEVIAIO", "RELABELTYPE":
			if below := n.field("arg").nodes; len(below) == 1 {
				n = below[0]
				continue
			}
		case "NULLIFEXPR":
			if below := n.field("args").nodes; len(below) == 2 {
				if empty, isText := below[1].text(); isText && empty == "" {
					n = below[0]
					continue
				}
			}
		case "FUNCEXPR":
			if f := n.number("funcid"); f == currentSetting || f == currentSettingMissing {
				s.Name, ok = settingName(n)
				return s, ok && onlyConstants(n.field("args").nodes)
			}
		}
		return s, false
	}
}
