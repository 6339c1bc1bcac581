package aic

import "encoding/json"

// state is what the scanner expects next in a page.
type state int

const (
	atStart     state = iota // the object's opening brace
	atFirst                  // the first key or the closing brace
	atKey                    // a key
	afterMember              // a comma or the closing brace
	atElement                // the first entry or the end of result
	inResult                 // an entry
	afterEntry               // a comma or the end of result
	atEnd                    // nothing but white space
	finished                 // the end was seen, or an error
)

// scan goes as far as the data in the buffer suffices, at most to the end of a
// chunk's entries. It sets finished after the end or an error.
func (p *Page) scan() {
	s := &p.buf.scan
	for p.state != finished {
		p.pos = s.space(p.pos)
		if p.pos == s.n {
			if p.ended && p.state == atEnd {
				p.end(nil)
			} else if p.ended {
				p.end(p.cutOff())
			}
			return
		}
		var next int
		if p.state == inResult {
			if len(p.entries) == p.client.limits.entries {
				return
			}
			next = p.scanEntry(s)
		} else {
			next = p.scanMember(s)
		}
		if next < 0 {
			switch {
			case p.state == finished:
			case s.reason != "":
				p.end(p.badBody(int64(s.at), s.reason))
			case p.ended:
				p.end(p.cutOff())
			}
			return
		}
		p.pos = next
	}
}

// scanEntry scans the entry at p.pos and returns the index after it, or -1.
func (p *Page) scanEntry(s *scanner) int {
	m := &p.buf.members
	end := s.entry(p.pos, m)
	if end < 0 {
		return -1
	}
	p.entries = append(p.entries, Entry{})
	p.fill(&p.entries[len(p.entries)-1], p.pos, end, m)
	p.state = afterEntry
	return end
}

// scanMember scans what stands at p.pos outside of an entry and returns the
// index after it, or -1.
func (p *Page) scanMember(s *scanner) int {
	i := p.pos
	c := s.b[i]
	switch p.state {
	case atStart:
		switch c {
		case '{':
			p.state = atFirst
			return i + 1
		case '<':
			return p.end(p.badBody(int64(i), p.client.mask.Replace(htmlTitle(s.b[i:s.n]))+
				" instead of JSON; a proxy or a login page may stand between, or the url is not the tenant's"))
		}
		return s.fail(i, "a JSON object expected")
	case atFirst, atKey:
		if c == '}' && p.state == atFirst {
			return p.endObject(i)
		}
		return p.scanKey(s)
	case afterMember:
		switch c {
		case ',':
			p.state = atKey
			return i + 1
		case '}':
			return p.endObject(i)
		}
		return s.fail(i, "comma or end of the object expected")
	case atElement:
		p.state = inResult
		if c == ']' {
			p.state = afterMember
			return i + 1
		}
		return i
	case afterEntry:
		switch c {
		case ',':
			p.state = inResult
			return i + 1
		case ']':
			p.state = afterMember
			return i + 1
		}
		return s.fail(i, "comma or end of the result expected")
	}
	return s.fail(i, "data after the end of the page")
}

// scanKey scans a member of the page itself, of result only the beginning.
func (p *Page) scanKey(s *scanner) int {
	name, start := s.key(p.pos)
	if start < 0 {
		return -1
	}
	if start == s.n {
		return s.fail(start, "")
	}
	if string(name) == "result" {
		if p.hasResult {
			return p.end(p.badBody(int64(start), "a second result"))
		}
		if s.b[start] != '[' {
			return p.end(p.badBody(int64(start), "result is not an array"))
		}
		p.hasResult = true
		p.state = atElement
		return start + 1
	}
	isCookie := string(name) == "pagedResultsCookie"
	end := s.value(start, 0)
	if end < 0 {
		return -1
	}
	if isCookie {
		// Anything but a string or null must not pass for "no more pages".
		var cookie *string
		if json.Unmarshal(s.b[start:end], &cookie) != nil {
			return p.end(p.badBody(int64(start), "pagedResultsCookie is neither a string nor null"))
		}
		p.cookie = ""
		if cookie != nil {
			p.cookie = *cookie
		}
	}
	p.state = afterMember
	return end
}

func (p *Page) endObject(i int) int {
	if !p.hasResult {
		return p.end(p.badBody(int64(i), "there is no result"))
	}
	p.state = atEnd
	return i + 1
}
