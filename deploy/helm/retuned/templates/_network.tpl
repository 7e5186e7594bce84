{{/* Rules of the NetworkPolicies. */}}

{{/* An egress rule. Takes a dict of to, ports and optionally protocols. No ports: no rule. */}}
{{- define "retuned.egress" -}}
{{- if .ports }}
{{- $ports := list }}
{{- range $port := .ports }}
{{- range default (list "TCP") $.protocols }}
{{- $ports = append $ports (dict "port" (int $port) "protocol" .) }}
{{- end }}
{{- end }}
{{- $rule := dict "ports" $ports }}
{{- with .to }}{{ $_ := set $rule "to" . }}{{ end }}
{{- list $rule | toYaml }}
{{- end }}
{{- end }}

{{- define "retuned.egress.dns" -}}
{{- include "retuned.egress" (dict "to" .Values.networkPolicy.egress.dns.to "ports" .Values.networkPolicy.egress.dns.ports "protocols" (list "UDP" "TCP")) }}
{{- end }}

{{- define "retuned.egress.artifacts" -}}
{{- $remote := false }}
{{- range include "retuned.lines" . | fromJsonArray }}
{{- $url := dig "kubernetes" "artifacts_url" "" . | default .artifacts_url | default "/" }}
{{- $remote = or $remote (not (or (hasPrefix "/" $url) (hasPrefix "file:" $url))) }}
{{- end }}
{{- if $remote }}
{{- include "retuned.egress" .Values.networkPolicy.egress.artifacts }}
{{- end }}
{{- end }}

{{/* Ports of the brokers, as JSON. */}}
{{- define "retuned.kafkaPorts" -}}
{{- $ports := list }}
{{- range include "retuned.lines" . | fromJsonArray }}
{{- range .kafka.bootstrap_servers }}
{{- $ports = append $ports (regexFind "[0-9]+$" . | int) }}
{{- end }}
{{- end }}
{{- default ($ports | uniq | sortAlpha) .Values.networkPolicy.egress.kafka.ports | toRawJson }}
{{- end }}

{{/* Ports of the URLs in the settings, as JSON. */}}
{{- define "retuned.httpPorts" -}}
{{- $ports := list }}
{{- range $line := include "retuned.lines" . | fromJsonArray }}
{{- $urls := list (dig "teacher" "url" "" .) (dig "kafka" "oauth_token_url" "" .) (dig "kafka" "schema_registry" "url" "" .) (dig "tracing" "endpoint" "" .) }}
{{- range compact $urls }}
{{- $given := regexFind ":[0-9]+$" (urlParse .).host | trimPrefix ":" }}
{{- $ports = append $ports (default (hasPrefix "https:" . | ternary "443" "80") $given | int) }}
{{- end }}
{{- if eq "AWS_MSK_IAM" (dig "kafka" "sasl_mechanism" "" . | default "") }}
{{- $ports = append $ports 443 }}
{{- end }}
{{- end }}
{{- default ($ports | uniq | sortAlpha) .Values.networkPolicy.egress.http.ports | toRawJson }}
{{- end }}

{{/* Egress rules of the daemon's pods, as a YAML list. */}}
{{- define "retuned.egress.daemon" -}}
{{- $egress := .Values.networkPolicy.egress }}
{{ include "retuned.egress.dns" . }}
{{ include "retuned.egress" (dict "to" $egress.kafka.to "ports" (include "retuned.kafkaPorts" . | fromJsonArray)) }}
{{- if eq (include "retuned.ledger.onServer" .) "true" }}
{{ include "retuned.egress" $egress.postgresql }}
{{- end }}
{{ include "retuned.egress.artifacts" . }}
{{ include "retuned.egress" (dict "to" $egress.http.to "ports" (include "retuned.httpPorts" . | fromJsonArray)) }}
{{- if eq (include "retuned.jobs.enabled" .) "true" }}
{{ include "retuned.egress" $egress.kubernetesApi }}
{{- end }}
{{- end }}

{{/* Egress rules of the Jobs' pods, as a YAML list. */}}
{{- define "retuned.egress.jobs" -}}
{{ include "retuned.egress.dns" . }}
{{ include "retuned.egress.artifacts" . }}
{{- end }}

{{/* Whether several pods train together: "true" or "false". */}}
{{- define "retuned.jobs.several" -}}
{{- $several := false }}
{{- range include "retuned.lines" . | fromJsonArray }}
{{- $several = or $several (gt (dig "kubernetes" "nodes" 1 . | int) 1) }}
{{- end }}
{{- $several }}
{{- end }}
