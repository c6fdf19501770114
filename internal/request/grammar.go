package request

import (
	"unicode"
	"unicode/utf8"
)

// The grammar of the query parameters as PostgREST writes it down, alternatives
// in its order, for the errors it leads to. The parser of select.go, filter.go,
// logic.go and order.go accepts the same texts; a fuzz test holds them together.

var (
	blanks = run(isOneOf(" \t"), oneOf(" \t"))
	dot    = label(char('.'), "delimiter (.)")
	comma  = padded(char(','))
	letter = label(satisfy(unicode.IsLetter), "letter")
	digit  = label(satisfy(isDigitRune), "digit")

	identifierRule = run1(isIdentifierRune, choice(letter, digit, oneOf("_ $")))
	quotedRule     = sequence(char('"'), many(choice(noneOf(`\"`), sequence(char('\\'), satisfy(anyRune)))), char('"'))
	nameRule       = label(choice(quotedRule, dashedRule(identifierRule)), "field name (* or [a..z0..9_$])")
	namesRule      = separated1(nameRule, comma)

	jsonIndexRule = sequence(optional(char('-')), run1(isDigitRune, digit), choice(
		next(word("->")), next(word("::")), next(word(".")), next(word(",")), try(end)))
	jsonKeyRule = label(choice(quotedRule, dashedRule(run1(isNoneOf("(-:.,>)"), noneOf("(-:.,>)")))),
		"any non reserved character different from: .,>()")
	jsonPathRule = many(sequence(
		choice(try(word("->>")), try(word("->"))),
		choice(try(jsonIndexRule), try(jsonKeyRule))))
	columnRule    = padded(sequence(nameRule, optional(jsonPathRule)))
	treePathRule  = sequence(separated1(nameRule, dot), optional(jsonPathRule))
	logicPathRule = separated1(nameRule, dot)
)

func anyRune(rune) bool { return true }

func isDigitRune(r rune) bool { return '0' <= r && r <= '9' }

func isIdentifierRune(r rune) bool {
	if r < utf8.RuneSelf {
		return isIdentifierByte(byte(r))
	}
	return unicode.IsLetter(r)
}

func padded(r rule) rule { return sequence(blanks, r, blanks) }

func next(r rule) rule { return try(ahead(r)) }

func dashedRule(segment rule) rule {
	dash := try(sequence(char('-'), notBefore(char('>'))))
	return separated1(segment, dash)
}

var (
	aliasRule = optional(try(sequence(nameRule, char(':'), notBefore(char(':')))))

	embedParamRule  = sequence(char('!'), choice(try(word("left")), try(word("inner")), try(nameRule)))
	embedParamsRule = sequence(optional(embedParamRule), optional(embedParamRule), next(word("(")))
	spreadRule      = padded(sequence(word("..."), nameRule, embedParamsRule))
	relationRule    = padded(sequence(aliasRule, notCount, embedParamsRule))

	itemEndRule   = choice(next(word(")")), next(word(",")), try(end))
	castRule      = optional(sequence(word("::"), identifierRule))
	aggregateRule = optional(try(sequence(char('.'),
		choice(word("sum"), word("avg"), word("count"), try(word("max")), try(word("min"))), word("()"))))
	fieldRule = padded(choice(
		try(sequence(word("*"), itemEndRule)),
		try(sequence(aliasRule, word("count()"), castRule, itemEndRule)),
		sequence(aliasRule, columnRule, castRule, aggregateRule, castRule, itemEndRule)))
)

// notCount is a name that is not count, which is the aggregate.
func notCount(in *source, at int) outcome {
	o := nameRule(in, at)
	if o.ok {
		p := scanner{s: string(in.text[at:o.at])}
		name, _ := p.name()
		o.ok = name != "count"
	}
	return o
}

func forestRule(in *source, at int) outcome {
	body := sequence(char('('), forestRule, char(')'))
	item := choice(sequence(try(spreadRule), body), sequence(try(relationRule), body), fieldRule)
	return optional(separated1(item, comma))(in, at)
}

var (
	anyRest    = run(anyRune, satisfy(anyRune))
	bareMember = run(isNoneOf(",)"), noneOf(",)"))
	// quotedMember must be followed by what ends a member.
	quotedMember = try(sequence(quotedRule, notBefore(noneOf(",)"))))
	arrayMember  = try(sequence(word("{"), run(isNoneOf("{}"), noneOf("{}")), word("}")))
	logicMember  = choice(quotedMember, arrayMember, bareMember)
	listRule     = sequence(padded(char('(')), separated1(choice(quotedMember, bareMember), char(',')), padded(char(')')))

	isRule = label(choice(
		try(folded("null")), try(folded("not_null")), try(folded("true")), try(folded("false")), try(folded("unknown"))),
		"isVal: (null, not_null, true, false, unknown)")
	ftsRule = sequence(
		choice(try(word("fts")), try(word("plfts")), try(word("phfts")), try(word("wfts"))),
		optional(try(sequence(char('('), identifierRule, char(')')))), dot)
	simpleOperatorRule = sequence(label(choice(
		try(word("neq")), try(word("cs")), try(word("cd")), try(word("ov")), try(word("sl")),
		try(word("sr")), try(word("nxr")), try(word("nxl")), try(word("adj"))),
		"unknown single value operator"), dot)
	quantOperatorRule = sequence(label(choice(
		try(word("eq")), try(word("gte")), try(word("gt")), try(word("lte")), try(word("lt")),
		try(word("like")), try(word("ilike")), try(word("match")), try(word("imatch"))),
		"unknown single value operator"),
		optional(try(sequence(char('('), choice(try(word("any")), word("all")), char(')')))), dot)
	notRule = try(sequence(word("not"), dot))

	filterRule      = conditionRule(anyRest)
	logicFilterRule = sequence(columnRule, dot, conditionRule(logicMember))
	connectiveRule  = label(choice(try(word("and")), word("or")), "logic operator (and, or)")
	negationRule    = label(optional(notRule), "negation operator (not)")
)

// conditionRule is an operator and its value.
func conditionRule(value rule) rule {
	operation := label(choice(
		sequence(try(sequence(word("in"), dot)), listRule),
		sequence(try(sequence(word("is"), dot)), isRule),
		sequence(try(sequence(word("isdistinct"), dot)), value),
		try(sequence(ftsRule, value)),
		try(sequence(simpleOperatorRule, value)),
		try(sequence(quantOperatorRule, value)),
	), "operator (eq, gt, ...)")
	return sequence(optional(notRule), operation)
}

// folded is a lower-case word in any case, letter by letter.
func folded(text string) rule {
	letters := make([]rule, 0, len(text))
	for _, r := range text {
		letters = append(letters, choice(char(r), char(unicode.ToUpper(r))))
	}
	return sequence(letters...)
}

func logicRule(in *source, at int) outcome {
	group := sequence(negationRule, connectiveRule,
		padded(char('(')), separated1(logicRule, comma), padded(char(')')))
	return choice(try(logicFilterRule), group)(in, at)
}

var (
	directionRule = optional(choice(try(sequence(dot, word("asc"))), try(sequence(dot, word("desc")))))
	nullsRule     = optional(choice(try(sequence(dot, word("nullsfirst"))), try(sequence(dot, word("nullslast")))))
	termEndRule   = choice(next(char(',')), try(end))
	nullsEndRule  = choice(sequence(nullsRule, termEndRule), termEndRule)
	orderRule     = separated1(padded(choice(
		try(sequence(nameRule, char('('), columnRule, char(')'), directionRule, nullsEndRule)),
		sequence(columnRule, directionRule, nullsEndRule))), char(','))
)
