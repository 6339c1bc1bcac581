package simulator

import "time"

// openAM begins an audit event of AM.
func (c *content) openAM(b *builder) {
	b.open("", "{")
	b.str("_id", c.nextID(&c.am))
}

func amUser(id string) string { return "id=" + id + ",ou=user,ou=am-config" }

func (c *content) amAccess(b *builder, at time.Time) {
	outcome := c.oneIn(2)
	tx := c.running()
	if !outcome {
		tx = c.begin(at)
	}
	component, method, path := "OAuth", "POST", "oauth2/realms/root/realms"+tx.realm+"/access_token"
	switch c.rng.IntN(5) {
	case 0:
		component, path = "Authentication", "json/realms/root/realms"+tx.realm+"/authenticate"
	case 1:
		component, method, path = "Server Info", "GET", "json/serverinfo/*"
	case 2:
		component, method, path = "Users", "GET", "json/realms/root/realms"+tx.realm+"/users/"+tx.person.id
	case 3:
		path = "oauth2/introspect"
	}
	c.openAM(b)
	b.open("client", "{")
	b.str("ip", tx.ip)
	if c.oneIn(2) {
		b.int("port", tx.port)
	}
	b.shut("}")
	b.str("component", component)
	if outcome {
		b.str("eventName", "AM-ACCESS-OUTCOME")
	} else {
		b.str("eventName", "AM-ACCESS-ATTEMPT")
	}
	c.amRequest(b, tx, method, path)
	b.str("level", "INFO")
	b.str("realm", tx.realm)
	b.open("request", "{")
	if component == "OAuth" {
		b.open("detail", "{")
		b.str("client_id", c.one("endUserClient", "RCSClient", "exampleApp"))
		b.str("grant_type", c.one("client_credentials", "authorization_code", "refresh_token"))
		b.str("login_hint", c.one("", tx.person.mail))
		b.str("scope", c.one("fr:idm:*", "openid profile email"))
		b.shut("}")
	} else {
		b.str("operation", c.one("READ", "ACTION", "QUERY"))
		b.str("protocol", "CREST")
	}
	b.shut("}")
	if outcome {
		c.amResponse(b)
	}
	c.finish(b, at, "access", tx, outcome)
	if outcome {
		b.str("userId", amUser(tx.person.id))
	}
	b.shut("}")
}

// amRequest writes the HTTP request, now and then with what should not be in a
// log: a bearer token, or a token and an address in the query.
func (c *content) amRequest(b *builder, tx *transaction, method, path string) {
	b.open("http", "{")
	b.open("request", "{")
	b.open("headers", "{")
	b.list("accept", "application/json, text/plain, */*")
	b.list("accept-api-version", "protocol=1.0,resource=2.1")
	if c.oneIn(12) {
		b.list("authorization", "Bearer "+c.token(tx.person))
	}
	b.list("host", host)
	b.list("user-agent", tx.agent)
	b.list("x-forwarded-for", tx.ip+", 198.51.100.150, "+c.internal())
	b.list("x-forwarded-proto", "https")
	b.shut("}")
	b.str("method", method)
	b.str("path", "https://"+host+"/am/"+path)
	if c.oneIn(10) {
		b.open("queryParameters", "{")
		b.list("goto", "https://app.example.com/callback?email="+tx.person.user+"%40example.com&id_token="+c.token(tx.person))
		b.list("realm", tx.realm)
		b.shut("}")
	}
	b.raw("secure", "true")
	b.shut("}}")
}

func (c *content) amResponse(b *builder) {
	b.open("response", "{")
	failed := c.oneIn(8)
	if failed {
		b.raw("detail", `{"reason":"Unauthorized"}`)
	} else if c.oneIn(3) {
		b.raw("detail", `{"revision":"2123586430"}`)
	}
	b.int("elapsedTime", c.rng.IntN(900))
	b.str("elapsedTimeUnits", "MILLISECONDS")
	if failed {
		b.str("status", "FAILED")
		b.str("statusCode", "401")
	} else {
		b.str("status", "SUCCESSFUL")
		b.str("statusCode", c.one("", "200"))
	}
	b.shut("}")
	b.open("server", "{")
	b.str("ip", c.internal())
	b.int("port", 8080)
	b.shut("}")
}

func (c *content) amActivity(b *builder, at time.Time) {
	tx := c.running()
	c.openAM(b)
	name, operation, object := "AM-SESSION-CREATED", "CREATE", tx.session
	switch c.rng.IntN(5) {
	case 0:
		name, operation = c.one("AM-SESSION-IDLE_TIMED_OUT", "AM-SESSION-LOGGED_OUT", "AM-SESSION-DESTROYED"), "DELETE"
	case 1:
		name, operation, object = "AM-IDENTITY-CHANGE", "UPDATE", "fr-idm-uuid="+tx.person.id+",ou=user,o=alpha,o=root,ou=identities"
		b.list("changedFields", c.one("modifyTimestamp", "mail", "telephoneNumber"))
	case 2:
		name, operation, object = "AM-SELFSERVICE-PASSWORDCHANGE-COMPLETED", "UPDATE", amUser(tx.person.id)
	}
	b.str("component", c.one("Session", "Users"))
	b.str("eventName", name)
	b.str("level", "INFO")
	b.str("objectId", object)
	b.str("operation", operation)
	b.str("realm", tx.realm)
	b.str("runAs", c.one("", "id=dsameuser,ou=user,ou=am-config", amUser(tx.person.id)))
	c.finish(b, at, "activity", tx, true)
	b.str("userId", amUser(tx.person.id))
	b.shut("}")
}

func (c *content) amAuthentication(b *builder, at time.Time) {
	tx := c.running()
	c.openAM(b)
	b.str("component", "Authentication")
	name, result := "AM-NODE-LOGIN-COMPLETED", ""
	b.open("entries", "[")
	b.open("", "{")
	b.open("info", "{")
	switch c.rng.IntN(4) {
	case 0:
		name, result = "AM-LOGIN-MODULE-COMPLETED", "SUCCESSFUL"
		b.str("authIndex", "module_instance")
		b.str("authLevel", "0")
		b.str("ipAddress", tx.ip)
		b.str("moduleClass", "Application")
		b.shut("}")
		b.str("moduleId", "Application")
	case 1:
		name, result = "AM-TREE-LOGIN-COMPLETED", c.one("SUCCESSFUL", "SUCCESSFUL", "FAILED")
		b.str("authLevel", "0")
		b.str("ipAddress", tx.ip)
		b.str("treeName", "Login")
		b.shut("}")
	default:
		node := c.one("PageNode", "ScriptedDecisionNode", "DataStoreDecisionNode", "OneTimePasswordSenderNode")
		b.str("authLevel", "0")
		b.str("displayName", "Step: "+node)
		b.str("nodeId", c.uuid())
		b.str("nodeOutcome", c.one("true", "false", "outcome"))
		b.str("nodeType", node)
		b.str("treeName", c.one("Login", "Réinitialisation du mot de passe"))
		b.shut("}")
	}
	b.shut("}]")
	b.str("eventName", name)
	if result == "FAILED" {
		b.str("exception", "An exception occurred during the authentication process")
	}
	b.str("level", "INFO")
	b.list("principal", c.one(tx.person.user, tx.person.mail))
	b.str("realm", tx.realm)
	if result != "" {
		b.str("result", result)
	}
	c.finish(b, at, "authentication", tx, true)
	b.str("userId", amUser(tx.person.id))
	b.shut("}")
}

func (c *content) amConfig(b *builder, at time.Time) {
	tx := c.running()
	c.openAM(b)
	b.list("changedFields", "com.forgerock.openam.oauth2provider.scopes", "sunserviceID")
	b.str("eventName", "AM-CONFIG-CHANGE")
	b.str("level", "INFO")
	b.str("objectId", "ou="+c.one("test", "payroll", "größe")+",ou=agentgroup,ou=OrganizationConfig,ou=1.0,ou=AgentService,ou=services,o=alpha,ou=services,ou=am-config")
	b.str("operation", c.one("CREATE", "UPDATE", "DELETE"))
	b.str("realm", "/alpha")
	b.str("runAs", "id=dsameuser,ou=user,ou=am-config")
	c.finish(b, at, "config", tx, true)
	b.str("userId", amUser(tx.person.id))
	b.shut("}")
}
