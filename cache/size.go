package cache

import "reflect"

const mapSlotBytes = 16 // of Go's maps, besides key and value, at their usual fill

// sizeOf returns about how many bytes a value takes with all that it refers to. What was seen counts once.
func sizeOf(v reflect.Value, seen map[uintptr]bool) int {
	return int(v.Type().Size()) + sizeBehind(v, seen)
}

func sizeBehind(v reflect.Value, seen map[uintptr]bool) int {
	n := 0
	switch v.Kind() {
	case reflect.String:
		n = v.Len()
	case reflect.Pointer:
		if !v.IsNil() && !seen[v.Pointer()] {
			seen[v.Pointer()] = true
			n = sizeOf(v.Elem(), seen)
		}
	case reflect.Interface:
		if !v.IsNil() {
			n = sizeOf(v.Elem(), seen)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			n += sizeBehind(v.Field(i), seen)
		}
	case reflect.Array:
		n = sizeOfElements(v, seen)
	case reflect.Slice:
		n = v.Cap()*int(v.Type().Elem().Size()) + sizeOfElements(v, seen)
	case reflect.Map:
		for key, value := range v.Seq2() {
			n += mapSlotBytes + sizeOf(key, seen) + sizeOf(value, seen)
		}
	}
	return n
}

func sizeOfElements(v reflect.Value, seen map[uintptr]bool) int {
	if k := v.Type().Elem().Kind(); reflect.Bool <= k && k <= reflect.Complex128 {
		return 0
	}
	n := 0
	for i := range v.Len() {
		n += sizeBehind(v.Index(i), seen)
	}
	return n
}
