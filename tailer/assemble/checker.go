package assemble

// mode is what a checker expects next.
type mode uint8

const (
	atStart      mode = iota // the opening brace
	atValue                  // a value
	atFirstValue             // a value or the end of the array
	atFirstKey               // a key or the end of the object
	atKey                    // a key
	atColon                  // a colon
	afterValue               // a comma or the end of the container
	inString                 // within a string, key or value
	inEscape                 // after a backslash
	inHex                    // within the digits of \u
	inMinus                  // after a number's minus
	inZero                   // after a leading zero
	inInt                    // within a number's digits
	inPoint                  // after the decimal point
	inFraction               // within the digits after it
	inExp                    // after e
	inExpSign                // after the exponent's sign
	inExpDigits              // within the exponent's digits
	inLiteral                // within true, false or null
	atEnd                    // the object is complete
)

// maxDepth bounds nesting as package aic does; log entries nest about ten deep.
const maxDepth = 1000

// frame is one open container.
type frame struct {
	object bool
	keys   int // where its keys begin in checker.keys
}

// checker checks a text that is to be exactly one JSON object, byte for byte in
// as many pieces as it comes in. It also refuses an object with the same key
// twice, which no logger writes but a wrong join often has.
type checker struct {
	mode    mode
	inKey   bool   // the string is a key
	hex     uint8  // digits of \u seen
	utf8    uint8  // bytes that are left of a character
	word    string // what is left of a literal
	hash    uint64 // of the key so far
	crossed bool   // something other than the inside of a string or number was seen
	quoted  bool   // a quote that is not escaped was seen
	frames  []frame
	keys    []uint64 // hashes of the keys of all open objects
}

// reset readies c for a new text.
func (c *checker) reset() {
	*c = checker{frames: c.frames[:0], keys: c.keys[:0]}
}

// set makes c a copy of o that has not crossed anything.
func (c *checker) set(o *checker) {
	frames, keys := append(c.frames[:0], o.frames...), append(c.keys[:0], o.keys...) //nolint:gocritic // the memory stays with c
	*c = *o
	c.frames, c.keys, c.crossed, c.quoted = frames, keys, false, false
}

// complete reports whether the text so far is exactly one object.
func (c *checker) complete() bool { return c.mode == atEnd }

// neutral reports whether a text that took the checker from the state from to c
// might as well have been left out: whatever is valid after it is valid without.
func (c *checker) neutral(from *checker) bool {
	return !c.crossed && c.mode == from.mode && c.hex == from.hex && c.utf8 == from.utf8 && c.word == from.word
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// feed checks the next piece and returns false if no continuation can make the
// text an object. The checker is then of no more use.
func (c *checker) feed(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if c.mode == inString && c.utf8 == 0 {
			start := i
			for i < len(b) && b[i] >= ' ' && b[i] < 0x80 && b[i] != '"' && b[i] != '\\' {
				i++
			}
			if c.inKey {
				c.addToKey(b[start:i])
			}
			if i == len(b) {
				return true
			}
		}
		if !c.step(b[i]) {
			return false
		}
	}
	return true
}

func (c *checker) addToKey(b []byte) {
	h := c.hash
	for _, x := range b {
		h = (h ^ uint64(x)) * fnvPrime
	}
	c.hash = h
}

// step checks one byte.
func (c *checker) step(x byte) bool {
	switch {
	case c.mode >= inString && c.mode <= inHex:
		return c.stepString(x)
	case c.mode == inLiteral:
		if x != c.word[0] {
			return false
		}
		if c.word = c.word[1:]; c.word == "" {
			c.mode = afterValue
		}
		return true
	case c.mode >= inMinus && c.mode <= inExpDigits:
		next, ok := stepNumber(c.mode, x)
		if ok {
			c.mode = next
			return true
		}
		if c.mode != inZero && c.mode != inInt && c.mode != inFraction && c.mode != inExpDigits {
			return false
		}
		c.mode = afterValue // and x follows the number
	}
	if x == ' ' || x == '\n' || x == '\r' || x == '\t' {
		return true
	}
	c.crossed = true
	return c.stepToken(x)
}

func (c *checker) stepString(x byte) bool {
	if c.inKey && x != '"' {
		c.hash = (c.hash ^ uint64(x)) * fnvPrime
	}
	switch c.mode {
	case inEscape:
		switch x {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			c.mode = inString
			return true
		case 'u':
			c.mode, c.hex = inHex, 0
			return true
		}
		return false
	case inHex:
		if !isHex(x) {
			return false
		}
		if c.hex++; c.hex == 4 {
			c.mode, c.hex = inString, 0
		}
		return true
	}
	switch {
	case x >= 0x80 || c.utf8 > 0:
		return c.stepCharacter(x)
	case x == '\\':
		c.mode = inEscape
	case x != '"':
		return false // a control character
	default:
		c.crossed, c.quoted = true, true
		c.mode = afterValue
		if c.inKey {
			c.inKey, c.mode = false, atColon
			return c.addKey()
		}
	}
	return true
}

// stepCharacter checks a byte of a character of more than one. It only counts
// them; whether a whole object is UTF-8 is for others to say.
func (c *checker) stepCharacter(x byte) bool {
	switch {
	case c.utf8 > 0:
		c.utf8--
		return x&0xC0 == 0x80
	case x&0xE0 == 0xC0:
		c.utf8 = 1
	case x&0xF0 == 0xE0:
		c.utf8 = 2
	case x&0xF8 == 0xF0:
		c.utf8 = 3
	default:
		return false
	}
	return true
}

// addKey notes the key that has just ended, and returns false if its object has
// it already. Keys are compared by a 64-bit hash of their bytes: two that
// collide would cost a join, never make a wrong one.
func (c *checker) addKey() bool {
	for _, k := range c.keys[c.frames[len(c.frames)-1].keys:] {
		if k == c.hash {
			return false
		}
	}
	c.keys = append(c.keys, c.hash)
	return true
}

// stepToken checks a byte that is neither white space nor inside a string,
// number or literal.
func (c *checker) stepToken(x byte) bool {
	switch c.mode {
	case atStart:
		return x == '{' && c.open(true)
	case atFirstKey, atKey:
		if x == '}' && c.mode == atFirstKey {
			return c.close(true)
		}
		c.mode, c.inKey, c.hash, c.quoted = inString, true, fnvOffset, true
		return x == '"'
	case atColon:
		c.mode = atValue
		return x == ':'
	case atFirstValue:
		if x == ']' {
			return c.close(false)
		}
		return c.beginValue(x)
	case atValue:
		return c.beginValue(x)
	case afterValue:
		switch {
		case x == '}':
			return c.close(true)
		case x == ']':
			return c.close(false)
		case x != ',':
			return false
		}
		c.mode = atValue
		if c.frames[len(c.frames)-1].object {
			c.mode = atKey
		}
		return true
	}
	return false // something follows the object
}

func (c *checker) beginValue(x byte) bool {
	switch {
	case x == '"':
		c.mode, c.quoted = inString, true
	case x == '{':
		return c.open(true)
	case x == '[':
		return c.open(false)
	case x == '-':
		c.mode = inMinus
	case x == '0':
		c.mode = inZero
	case isDigit(x):
		c.mode = inInt
	case x == 't':
		c.mode, c.word = inLiteral, "rue"
	case x == 'f':
		c.mode, c.word = inLiteral, "alse"
	case x == 'n':
		c.mode, c.word = inLiteral, "ull"
	default:
		return false
	}
	return true
}

func (c *checker) open(object bool) bool {
	c.frames = append(c.frames, frame{object, len(c.keys)})
	c.mode = atFirstValue
	if object {
		c.mode = atFirstKey
	}
	return len(c.frames) <= maxDepth
}

func (c *checker) close(object bool) bool {
	last := len(c.frames) - 1
	if c.frames[last].object != object {
		return false
	}
	c.keys = c.keys[:c.frames[last].keys]
	c.frames = c.frames[:last]
	c.mode = afterValue
	if last == 0 {
		c.mode = atEnd
	}
	return true
}

// stepNumber returns what follows x within a number, or false if x is no part
// of it.
func stepNumber(m mode, x byte) (mode, bool) {
	switch {
	case isDigit(x):
		switch m {
		case inMinus:
			if x == '0' {
				return inZero, true
			}
			return inInt, true
		case inInt, inFraction, inExpDigits:
			return m, true
		case inPoint:
			return inFraction, true
		case inExp, inExpSign:
			return inExpDigits, true
		}
	case x == '.':
		return inPoint, m == inZero || m == inInt
	case x == 'e' || x == 'E':
		return inExp, m == inZero || m == inInt || m == inFraction
	case x == '+' || x == '-':
		return inExpSign, m == inExp
	}
	return m, false
}

func isDigit(x byte) bool { return x >= '0' && x <= '9' }

func isHex(x byte) bool { return isDigit(x) || x|0x20 >= 'a' && x|0x20 <= 'f' }
