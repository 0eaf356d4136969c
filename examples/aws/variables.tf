variable "region" {
  description = "Where all of it is."
  type        = string
  default     = "eu-central-1"
}

variable "name" {
  description = "What every name begins with: lower case, digits and hyphens."
  type        = string
  default     = "fairway"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.name))
    error_message = "3 to 20 lower-case letters, digits and hyphens."
  }
}

variable "bucket" {
  description = "The bucket of the sites: a name that nobody in the world has."
  type        = string
}

variable "domain" {
  description = "Sites are <site>.<domain>."
  type        = string
}

variable "control_host" {
  description = "The host of API and pages, not below the domain."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone of the domain, in which the control plane proves the wildcard certificate. It may change TXT records of _acme-challenge there, and nothing else."
  type        = string
}

variable "acme_email" {
  description = "Where the issuer of certificates writes to."
  type        = string
}

variable "image_tag" {
  description = "The tag of the server's and the builder's image in the repositories that are made here. A tag is never given twice."
  type        = string
}

variable "secrets" {
  description = "ARNs of four secrets that are made by hand, so that Terraform's state does not have them. control is the JSON {\"key\": ..., \"database\": ...}, with the platform's key as base32 text; edge is the edges' key as base32 text; redis_control and redis_edge are passwords of 16 to 64 letters and digits. edge_token, once `fairway edges add` has made one, has the edges report."
  type = object({
    control       = string
    edge          = string
    redis_control = string
    redis_edge    = string
    edge_token    = optional(string)
  })
}

variable "database_password_version" {
  description = "A higher number than before has the database take the password that is in the secret now."
  type        = number
  default     = 1
}

variable "controls" {
  description = "How many control planes."
  type        = number
  default     = 2
}

variable "edges" {
  description = "How many edges."
  type        = number
  default     = 2
}

variable "build_cpu" {
  description = "Units of a build, 1024 a processor."
  type        = number
  default     = 2048
}

variable "build_memory" {
  description = "MiB of a build."
  type        = number
  default     = 4096
}

variable "builds" {
  description = "How many builds run at once."
  type        = number
  default     = 8
}

variable "launch_type" {
  description = "FARGATE, or FARGATE_SPOT, which lets the first attempts at previews run on spare machines."
  type        = string
  default     = "FARGATE"
  validation {
    condition     = contains(["FARGATE", "FARGATE_SPOT"], var.launch_type)
    error_message = "FARGATE or FARGATE_SPOT."
  }
}

variable "database_class" {
  type    = string
  default = "db.t4g.micro"
}

variable "database_standby" {
  description = "Whether the database has a standby in another zone, at twice the price. Sites are served without any database."
  type        = bool
  default     = false
}

variable "redis_class" {
  type    = string
  default = "cache.t4g.micro"
}

variable "protect" {
  description = "Whether database and bucket survive a destroy."
  type        = bool
  default     = true
}
