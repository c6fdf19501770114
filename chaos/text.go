package chaos

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// String is the fault as it is written in a scenario file, on one line.
func (f Fault) String() string { return flow(f) }

// MarshalJSON writes what is set, in the words of scenario files.
func (f Fault) MarshalJSON() ([]byte, error) { return json.Marshal(plain(reflect.ValueOf(f))) }

// setFields calls each with the fields of a struct that are not zero, under their JSON names.
func setFields(v reflect.Value, each func(name string, value reflect.Value)) {
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("json"); name != "" && !v.Field(i).IsZero() {
			each(name, v.Field(i))
		}
	}
}

// plain turns a struct into what encoding/json writes as a scenario file would have it.
func plain(v reflect.Value) any {
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch x := v.Interface().(type) {
	case encoding.TextMarshaler:
		return x
	case time.Duration:
		return x.String()
	}
	if v.Kind() != reflect.Struct {
		return v.Interface()
	}
	object := map[string]any{}
	setFields(v, func(name string, value reflect.Value) { object[name] = plain(value) })
	if _, ok := v.Interface().(Point); ok && len(object) == 0 {
		return true
	}
	return object
}

// flow writes the fields of a struct.
func flow(x any) string {
	var parts []string
	setFields(reflect.ValueOf(x), func(name string, value reflect.Value) {
		text := fmt.Sprint(plain(value))
		if v := reflect.Indirect(value); v.Kind() == reflect.Struct && text != "true" {
			if _, ok := v.Interface().(encoding.TextMarshaler); !ok {
				text = "{" + flow(v.Interface()) + "}"
			}
		}
		parts = append(parts, name+": "+text)
	})
	return strings.Join(parts, ", ")
}
