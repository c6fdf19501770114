package slipstream

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// Each option makes another namespace, or is one that has no influence on answers.
func TestOptionsOfANamespace(t *testing.T) {
	base := Config{}.WithDefaults()
	changed := 0
	for _, o := range optionTable() {
		c := base
		v := o.bind(&c)
		for _, text := range []string{"true", "false", "7", "17s", "12345678", "rollback", "minimal", "disabled", "cache-tag", "off", "x.y"} {
			if s, ok := v.(settings); ok {
				s.setMember("x", text)
			} else if v.set(text) != nil || v.check() != nil {
				continue
			}
			if !bytes.Equal(c.answersDigest(), base.answersDigest()) {
				changed++
				break
			}
		}
		own := slices.ContainsFunc(ownOptions[:], func(prefix string) bool { return strings.HasPrefix(o.name, prefix) })
		if same := bytes.Equal(c.answersDigest(), base.answersDigest()); same != own && o.name != relationsOption {
			t.Errorf("%s: the same namespace: %t", o.name, same)
		}
	}
	for _, prefix := range ownOptions {
		if !slices.ContainsFunc(optionTable(), func(o option) bool { return strings.HasPrefix(o.name, prefix) }) {
			t.Errorf("no option begins with %s", prefix)
		}
	}
	relations := base
	relations.Relations = map[string]RelationGuards{"*": {CacheVaryClaims: &[]string{"sub"}}}
	if bytes.Equal(relations.answersDigest(), base.answersDigest()) {
		t.Error("guards of relations make no difference")
	}
	lists := [2]Config{base, base}
	lists[0].DBSchemas, lists[1].DBSchemas = []string{"a", "b"}, []string{"a,b"}
	if bytes.Equal(lists[0].answersDigest(), lists[1].answersDigest()) || changed < 20 {
		t.Errorf("lists are the same, or too few options were tried: %d", changed)
	}
}

func TestProgramDigest(t *testing.T) {
	one, err := programDigest()
	if err != nil {
		t.Fatal(err)
	}
	if two, err := programDigest(); err != nil || two != one || one == [32]byte{} {
		t.Errorf("%x, then %x, %v", one, two, err)
	}
}
