package hectest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
)

const stickyCookie = "hec-node"

// channel is what the server knows of one channel.
type channel struct {
	next    uint64
	pending map[uint64]*promise
}

// promise is an ackId that was given out.
type promise struct {
	polls int // until it is told
	lost  bool
}

// channelOf returns the channel of a request, from the header or the query.
func channelOf(r *http.Request) string {
	if c := r.Header.Get(channelHeader); c != "" {
		return c
	}
	return r.URL.Query().Get("channel")
}

func checkChannel(r *http.Request) *refusal {
	switch c := channelOf(r); {
	case c == "":
		return refuse(10)
	case !regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`).MatchString(c):
		return refuse(11)
	}
	return nil
}

// promise gives out an ackId.
func (s *Server) promise(w http.ResponseWriter, r *http.Request, lost bool) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.options.Sticky {
		http.SetCookie(w, &http.Cookie{Name: stickyCookie, Value: "one", Path: "/"})
	}
	name := channelOf(r)
	c := s.channels[name]
	if c == nil {
		c = &channel{pending: make(map[uint64]*promise)}
		s.channels[name] = c
	}
	id := c.next
	c.next++
	c.pending[id] = &promise{polls: s.options.PollsBefore, lost: lost}
	return id
}

// acks answers a query: true once, and false for what is pending, lost, told
// already or unknown.
func (s *Server) acks(w http.ResponseWriter, r *http.Request, o Options) {
	s.note(Request{Method: r.Method, Path: r.URL.Path, Channel: channelOf(r)})
	if r.Method != http.MethodPost {
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	bad := o.authorize(r)
	if bad == nil && !o.Acknowledge {
		bad = refuse(14)
	}
	if bad == nil {
		bad = checkChannel(r)
	}
	var question struct {
		Acks []uint64 `json:"acks"`
	}
	if bad == nil && json.NewDecoder(r.Body).Decode(&question) != nil {
		bad = refuse(6)
	}
	if bad != nil {
		bad.write(w)
		return
	}
	cookie, err := r.Cookie(stickyCookie)
	astray := o.Sticky && (err != nil || cookie.Value != "one")
	answer := make(map[string]bool, len(question.Acks))
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range question.Acks {
		answer[strconv.FormatUint(id, 10)] = !astray && s.tell(channelOf(r), id)
	}
	b, err := json.Marshal(map[string]any{"acks": answer})
	if err != nil {
		panic(err) // texts and booleans always encode
	}
	reply(w, http.StatusOK, string(b))
}

// tell says whether an id is indexed, which it does once. s.mu is held.
func (s *Server) tell(name string, id uint64) bool {
	c := s.channels[name]
	if c == nil || c.pending[id] == nil || c.pending[id].lost {
		return false
	}
	if c.pending[id].polls > 0 {
		c.pending[id].polls--
		return false
	}
	delete(c.pending, id)
	return true
}
