package schema

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ruleOf is the text of a view's rule around a target list, with what servers
// of different versions have before and after it.
func ruleOf(before, targets, after string) string {
	return "({QUERY :commandType 1 :querySource 0 :canSetTag true :utilityStmt <> " + before +
		" :targetList " + targets + " " + after + "})"
}

const (
	plainEntry = `{TARGETENTRY :expr {VAR :varno 1 :varattno 2 :location 7} :resno 1 :resname id :ressortgroupref 0 :resorigtbl 16385 :resorigcol 2 :resjunk false}`
	expression = `{TARGETENTRY :expr {CONST :consttype 25 :constvalue 6 [ 24 0 0 0 40 41 ]} :resno 2 :resname ?column? :ressortgroupref 0 :resorigtbl 0 :resorigcol 0 :resjunk false}`
	oddEntry   = `{TARGETENTRY :expr {FUNCEXPR :args ({VAR :varno 1} {VAR :varno 2})} :resno 3 :resname \ \(\}:resno\ 9\\ :ressortgroupref 1 :resorigtbl 4294967295 :resorigcol 1600 :resjunk false}`
	nameIsKey  = `{TARGETENTRY :expr <> :resno 4 :resname :resorigtbl :ressortgroupref 0 :resorigtbl 5 :resorigcol 6 :resjunk false}`
	system     = `{TARGETENTRY :expr <> :resno 5 :resname ctid :ressortgroupref 0 :resorigtbl 5 :resorigcol -1 :resjunk false}`
)

func TestParseViewRule(t *testing.T) {
	entries := "(" + strings.Join([]string{plainEntry, expression, oddEntry, nameIsKey, system}, " ") + ")"
	all := []viewColumn{
		{1, sourceColumn{16385, 2}},
		{3, sourceColumn{4294967295, 1600}},
		{4, sourceColumn{5, 6}},
	}
	for _, tc := range []struct {
		what, text string
		want       []viewColumn
	}{
		{"version 12", ruleOf(`:resultRelation 0 :hasAggs false :rtable ({RTE :alias {ALIAS :aliasname old :colnames <>} :eref <> :rtekind 0 :relid 5 :relkind v :inh false}) :jointree {FROMEXPR :fromlist ({RANGETBLREF :rtindex 3}) :quals <>}`,
			entries, `:override 0 :onConflict <> :returningList <> :stmt_location 0 :stmt_len 0`), all},
		{"version 16 and later", ruleOf(`:resultRelation 0 :isReturn false :rtable ({RANGETBLENTRY :alias <> :perminfoindex 1}) :rteperminfos ({RTEPERMISSIONINFO :relid 5 :selectedCols (b 8 9)}) :jointree {FROMEXPR :fromlist <> :quals <>} :mergeActionList <> :mergeUseOuterJoin false`,
			entries, `:override 0 :setOperations <>`), all},
		{"version 18", ruleOf(`:hasGroupRTE false :rtable <> :rteperminfos <> :jointree <> :mergeActionList <> :mergeTargetRelation 0 :mergeJoinCondition <>`,
			entries, `:returningOldAlias <> :returningNewAlias <>`), all},
		{"no columns", ruleOf(":rtable <>", "<>", ""), nil},
		{"a subquery's list comes first", ruleOf(`:rtable ({RTE :subquery {QUERY :targetList (`+nameIsKey+`)}})`, "("+plainEntry+")", ""),
			all[:1]},
		{"line breaks", strings.ReplaceAll(ruleOf(":rtable <>", "("+plainEntry+")", ""), " ", "\n  "), all[:1]},
	} {
		t.Run(tc.what, func(t *testing.T) {
			got, err := parseViewRule([]byte(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, got, cmp.AllowUnexported(viewColumn{}, sourceColumn{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestParseViewRuleRefuses(t *testing.T) {
	good := ruleOf(":rtable <>", "("+plainEntry+")", "")
	for _, text := range []string{
		"", "<>", "({QUERY})", "({QUERY :rtable", "({QUERY :rtable )})", `({QUERY :rtable (\`,
		ruleOf("", "5", ""), ruleOf("", "(5)", ""), ruleOf("", "({TARGETENTRY :resno x})", ""),
		ruleOf("", "({TARGETENTRY :resno 40000})", ""), ruleOf("", "({TARGETENTRY :expr )})", ""),
		ruleOf("", "({TARGETENTRY 5})", ""),
		good[:strings.Index(good, ":resjunk")],
	} {
		if _, err := parseViewRule([]byte(text)); !errors.Is(err, errNodeTree) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseViewRule(f *testing.F) {
	f.Add(ruleOf(":rtable ({A :b (1 2) :c {D}})", "("+plainEntry+oddEntry+")", ""))
	f.Add(ruleOf(":rtable <>", "<>", ""))
	f.Add(`({QUERY :a \`)
	f.Fuzz(func(t *testing.T, text string) {
		columns, err := parseViewRule([]byte(text))
		if err != nil && !errors.Is(err, errNodeTree) {
			t.Errorf("unexpected error: %v", err)
		}
		for _, c := range columns {
			if c.source.relation == 0 || c.source.number <= 0 {
				t.Errorf("column without a source: %+v", c)
			}
		}
	})
}
