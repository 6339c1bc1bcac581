package aic

import "time"

// parseTime reads an RFC 3339 time, or returns the zero time. Digits beyond
// nanoseconds are cut off. It is as strict as the RFC, without leap seconds;
// time.Parse is not, and takes three times as long.
func parseTime(b []byte) time.Time {
	// 2006-01-02T15:04:05, then an optional fraction and the zone.
	const seconds = 19
	if len(b) <= seconds || b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' || b[13] != ':' || b[16] != ':' {
		return time.Time{}
	}
	year := two(b, 0)*100 + two(b, 2)
	month, day := two(b, 5), two(b, 8)
	hour, minute, second := two(b, 11), two(b, 14), two(b, 17)
	if two(b, 0) < 0 || two(b, 2) < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return time.Time{}
	}
	nanos, i := fraction(b, seconds)
	if i < 0 {
		return time.Time{}
	}
	offset, ok := zone(b[i:])
	if !ok {
		return time.Time{}
	}
	unix := daysSince1970(year, month, day)*86400 + int64(hour*3600+minute*60+second-offset)
	return time.Unix(unix, nanos).UTC()
}

// two returns the number in the two digits at b[i], or a negative number.
func two(b []byte, i int) int {
	tens, units := b[i]-'0', b[i+1]-'0'
	if tens > 9 || units > 9 {
		return -1000
	}
	return int(tens)*10 + int(units)
}

// fraction returns the nanoseconds after the point at b[i], if there is one,
// and the index after them, or -1 if no digit follows the point.
func fraction(b []byte, i int) (nanos int64, next int) {
	if i >= len(b) || b[i] != '.' {
		return 0, i
	}
	i++
	start, scale := i, int64(100_000_000)
	for ; i < len(b) && b[i] >= '0' && b[i] <= '9'; i++ {
		nanos += int64(b[i]-'0') * scale
		scale /= 10
	}
	if i == start {
		return 0, -1
	}
	return nanos, i
}

// zone returns the offset from UTC in seconds.
func zone(b []byte) (offset int, ok bool) {
	if len(b) == 1 && b[0]|0x20 == 'z' {
		return 0, true
	}
	if len(b) != len("+00:00") || b[3] != ':' {
		return 0, false
	}
	hour, minute := two(b, 1), two(b, 4)
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	offset = hour*3600 + minute*60
	switch b[0] {
	case '+':
		return offset, true
	case '-':
		return -offset, true
	}
	return 0, false
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts days in the Gregorian calendar, in years that begin in
// March, so that the leap day comes last. The year is 0 to 9999.
func daysSince1970(year, month, day int) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	year += 400 // keep the divisions below clear of negative numbers
	yearDays := 365*year + year/4 - year/100 + year/400
	// Days from 1 March to the first of the month: 153 in every five months.
	monthDays := (153*(month-3) + 2) / 5
	const epoch = 719_468 + 146_097 // 1970-01-01 counted this way; 146,097 days in 400 years
	return int64(yearDays + monthDays + day - 1 - epoch)
}
