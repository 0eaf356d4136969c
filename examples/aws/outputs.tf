output "repositories" {
  description = "Where the images go."
  value       = { for k, r in aws_ecr_repository.image : k => r.repository_url }
}

output "addresses" {
  description = "The control host, and *.<domain>, point to these."
  value       = { for k, l in aws_lb.this : k => l.dns_name }
}

output "runner" {
  description = "The address of the builds, for a control plane elsewhere."
  value       = local.servers.control.environment.FAIRWAY_RUNNER
}
