package codec

// The first byte of an element tells its type. See the table "Formats" of the msgpack
// specification.

func isUint(lead byte) bool  { return lead <= 0x7f || lead >= 0xcc && lead <= 0xcf }
func isInt(lead byte) bool   { return lead >= 0xe0 || lead >= 0xd0 && lead <= 0xd3 }
func isBool(lead byte) bool  { return lead == 0xc2 || lead == 0xc3 }
func isBin(lead byte) bool   { return lead >= 0xc4 && lead <= 0xc6 }
func isStr(lead byte) bool   { return lead >= 0xa0 && lead <= 0xbf || lead >= 0xd9 && lead <= 0xdb }
func isArray(lead byte) bool { return lead >= 0x90 && lead <= 0x9f || lead == 0xdc || lead == 0xdd }
func isMap(lead byte) bool   { return lead >= 0x80 && lead <= 0x8f || lead == 0xde || lead == 0xdf }
func isExt(lead byte) bool   { return lead >= 0xc7 && lead <= 0xc9 || lead >= 0xd4 && lead <= 0xd8 }

// typeOf names the type, for errors and for what is rare.
func typeOf(lead byte) string {
	switch {
	case lead <= 0x7f:
		return "int" // of either sign
	case isUint(lead):
		return "uint"
	case isInt(lead):
		return "int"
	case isBool(lead):
		return "bool"
	case isBin(lead):
		return "bin"
	case isStr(lead):
		return "str"
	case isArray(lead):
		return "array"
	case isMap(lead):
		return "map"
	case isExt(lead):
		return "ext"
	}
	switch lead {
	case 0xc0:
		return "nil"
	case 0xca:
		return "float32"
	case 0xcb:
		return "float64"
	}
	return "invalid" // 0xc1 is never used
}
