package promises_test

import "testing"

// The promises hold by table, too, where triggers tell what is written.

func TestRegistersByTable(t *testing.T) {
	readRegisters(t, prepareNotify(t, registersSchema), "B1, by table")
}

func TestOwnWritesByTable(t *testing.T) {
	readOwnWrites(t, prepareNotify(t, ownWritesSchema), "Own writes, by table")
}

func TestShadowByTable(t *testing.T) {
	holdAgainst(t, prepareNotify(t, shopSchema), "B2, by table", scale(3_000, 100_000))
}
