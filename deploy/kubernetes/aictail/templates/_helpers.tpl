{{- define "aictail.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* At most 52 characters: a StatefulSet's pods and revisions add to it. */}}
{{- define "aictail.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "aictail.name" .) .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "aictail.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "aictail.selectorLabels" -}}
app.kubernetes.io/name: {{ include "aictail.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aictail.labels" -}}
{{ include "aictail.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "aictail.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "aictail.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "aictail.secretName" -}}
{{- if .Values.secret.existingSecret }}
{{- .Values.secret.existingSecret }}
{{- else if .Values.secret.data }}
{{- include "aictail.fullname" . }}
{{- end }}
{{- end }}

{{- define "aictail.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/*
How the pod is asked for its health. With TLS or users the kubelet could not: the
program then asks itself, with what env says of a user and a certificate.
*/}}
{{- define "aictail.probe" -}}
{{- $root := index . 0 }}
{{- if dig "admin" "web_config_file" "" $root.Values.config }}
{{- $command := list "/usr/bin/aictail" "health" "--config" "/etc/aictail/aictail.yaml" }}
{{- with index . 2 }}{{ $command = append $command . }}{{ end }}
exec: {command: {{ toJson $command }}}
{{- else }}
httpGet: {path: {{ index . 1 }}, port: admin}
{{- end }}
{{- end }}

{{/*
Refuses secrets in the configuration. Not the schema: its errors show the value.
*/}}
{{- define "aictail.refuseSecrets" -}}
{{- $path := .path }}
{{- range $key, $value := .value }}
{{- if kindIs "map" $value }}
{{- include "aictail.refuseSecrets" (dict "path" (printf "%s.%s" $path $key) "value" $value) }}
{{- else if and (has $key (list "api_key" "api_secret" "token" "password")) (not (regexMatch "^\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}$" (toString $value))) }}
{{- fail (printf "%s.%s: a ConfigMap is no place for a secret: use the key with _file, or ${NAME} with that variable in env" $path $key) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Refuses what the chart sets itself. Not the schema: it could not say why. */}}
{{- define "aictail.refuseOwn" -}}
{{- if hasKey .Values.config "data_dir" }}
{{- fail "config.data_dir: remove it; the chart sets it to /var/lib/aictail, which is the volume of persistence" }}
{{- end }}
{{- if hasKey .Values.config "shutdown_timeout" }}
{{- fail "config.shutdown_timeout: set shutdownTimeoutSeconds instead, which gives the pod the time as well" }}
{{- end }}
{{- if hasKey (default dict .Values.config.admin) "listen" }}
{{- fail "config.admin.listen: remove it; the chart sets it to 0.0.0.0:9464, where probes and Prometheus ask" }}
{{- end }}
{{- range list "port" "path" "interval" }}
{{- if hasKey $.Values.podMonitor.endpoint . }}
{{- fail (printf "podMonitor.endpoint.%s: remove it; the chart sets it itself, the interval from podMonitor.interval" .) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The configuration with what the chart knows better. */}}
{{- define "aictail.config" -}}
{{- include "aictail.refuseOwn" . }}
{{- include "aictail.refuseSecrets" (dict "path" "config" "value" .Values.config) }}
{{- $own := dict "data_dir" "/var/lib/aictail" "admin" (dict "listen" "0.0.0.0:9464") "shutdown_timeout" (printf "%ds" (int .Values.shutdownTimeoutSeconds)) }}
{{- toYaml (mergeOverwrite (deepCopy .Values.config) $own) }}
{{- end }}
