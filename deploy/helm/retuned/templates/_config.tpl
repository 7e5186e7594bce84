{{/* The settings file, and what the chart derives from settings. */}}

{{/* The settings as JSON: those of `config`, and those that other values imply. */}}
{{- define "retuned.config" -}}
{{- $config := deepCopy .Values.config }}
{{- range .Values.secretFiles }}
{{- if .setting }}
{{- $file := printf "/run/retuned/secrets/%s/%s" .existingSecret .key }}
{{- include "retuned.set" (dict "in" $config "path" (splitList "." .setting) "value" $file) }}
{{- end }}
{{- end }}
{{- if and .Values.target.enabled (not $config.target_dir) }}
{{- $_ := set $config "target_dir" "/var/lib/retuned-target" }}
{{- end }}
{{- if eq (include "retuned.jobs.enabled" .) "true" }}
{{- if not (dig "kubernetes" "job_template" "" $config) }}
{{- include "retuned.set" (dict "in" $config "path" (list "kubernetes" "job_template") "value" "/etc/retuned/job-template.yaml") }}
{{- end }}
{{- end }}
{{- toRawJson $config }}
{{- end }}

{{/* Sets a value in nested dicts. */}}
{{- define "retuned.set" -}}
{{- $name := first .path }}
{{- if eq (len .path) 1 }}
{{- $_ := set .in $name .value }}
{{- else }}
{{- if not (kindIs "map" (get .in $name)) }}{{ $_ := set .in $name dict }}{{ end }}
{{- include "retuned.set" (dict "in" (get .in $name) "path" (rest .path) "value" .value) }}
{{- end }}
{{- end }}

{{/* The settings of each model line, as a JSON list: where `lines` has several, the common ones under the line's own. */}}
{{- define "retuned.lines" -}}
{{- $config := include "retuned.config" . | fromJson }}
{{- $lines := list }}
{{- range $name, $own := $config.lines }}
{{- $line := mergeOverwrite (omit $config "lines" | deepCopy) (default dict $own) (dict "model_line" $name) }}
{{- if not (dig "kafka" "group_id" "" (default dict $own)) }}
{{- $group := printf "%s-%s" (dig "kafka" "group_id" "retuned" $config) $name }}
{{- include "retuned.set" (dict "in" $line "path" (list "kafka" "group_id") "value" $group) }}
{{- end }}
{{- $lines = append $lines $line }}
{{- end }}
{{- $lines | default (list $config) | toRawJson }}
{{- end }}

{{/* Whether a line trains in Jobs: "true" or "false". */}}
{{- define "retuned.jobs.enabled" -}}
{{- $found := eq "kubernetes" (dig "learning" "where" "process" .Values.config) }}
{{- range $_, $own := .Values.config.lines }}
{{- $found = or $found (eq "kubernetes" (dig "learning" "where" "process" (default dict $own))) }}
{{- end }}
{{- $found }}
{{- end }}

{{/* Whether the ledger is on PostgreSQL: "true" or "false". */}}
{{- define "retuned.ledger.onServer" -}}
{{- or (ne .Values.ledger.existingSecret "") (hasPrefix "postgresql" (default "" .Values.config.ledger_url)) }}
{{- end }}

{{- define "retuned.port" -}}
{{- dig "http" "port" 9464 .Values.config | int }}
{{- end }}

{{/* Refuses values that contradict each other. */}}
{{- define "retuned.validate" -}}
{{- $several := or (gt (int .Values.replicaCount) 1) .Values.autoscaling.enabled }}
{{- if and $several (eq (include "retuned.ledger.onServer" .) "false") }}
{{- fail "several replicas share a ledger on PostgreSQL: set ledger.existingSecret, or replicaCount: 1" }}
{{- end }}
{{- if and $several .Values.persistence.enabled .Values.persistence.existingClaim }}
{{- fail "persistence.existingClaim is one replica's volume: leave it unset, or set replicaCount: 1" }}
{{- end }}
{{- if and .Values.ledger.existingSecret .Values.config.ledger_url }}
{{- fail "ledger.existingSecret and config.ledger_url both name the ledger: remove one" }}
{{- end }}
{{- if gt (len (compact (list .Values.model.existingClaim .Values.model.image.reference (dig "image" "" .Values.model.initContainer)))) 1 }}
{{- fail "the base model has one source: set one of model.existingClaim, model.image.reference and model.initContainer" }}
{{- end }}
{{- range include "retuned.lines" . | fromJsonArray }}
{{- if eq (include "retuned.ledger.onServer" $) "true" }}
{{- if not .artifacts_url }}
{{- fail "replicas with a ledger on PostgreSQL share their artifacts: set config.artifacts_url, such as s3://BUCKET/FOLDER" }}
{{- end }}
{{- if not (dig "holdout" "key_file" "" .) }}
{{- fail "replicas with a ledger on PostgreSQL share the holdout key: add {setting: holdout.key_file, existingSecret: NAME, key: KEY} to secretFiles" }}
{{- end }}
{{- end }}
{{- if and $several (not .target_dir) }}
{{- fail "replicas share the folder of live.json: set target.enabled: true, or config.target_dir and a volume there" }}
{{- end }}
{{- end }}
{{- end }}
